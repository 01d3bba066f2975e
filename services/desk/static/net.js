// Asking the desk. Everything that writes or streams is a POST, which the browser marks with the page's own origin.

export class Failed extends Error {}

async function answered(response) {
  if (response.status === 401) {
    location.replace("/sign-in");
    throw new Failed("signed out");
  }
  const document = await response.json();
  if (!response.ok) throw new Failed(document.error || `status ${response.status}`);
  return document;
}

export async function get(path) {
  return answered(await fetch(path));
}

export async function post(path, body, signal) {
  return answered(await fetch(path, { method: "POST", body: JSON.stringify(body), signal }));
}

export function newToken() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Each line of the stream is a document. A broken stream is begun again, and `told` says meanwhile that it is broken.
export function stream(page, take, told) {
  const end = new AbortController();
  (async () => {
    let pause = 500;
    while (!end.signal.aborted) {
      try {
        const response = await fetch(`/api/stream/${page}`, { method: "POST", signal: end.signal });
        if (response.status === 401) location.replace("/sign-in");
        if (!response.ok) throw new Failed(`status ${response.status}`);
        pause = 500;
        for await (const line of lines(response.body)) {
          const document = JSON.parse(line);
          if (document.ended) location.replace("/sign-in");
          if (document.head) take(document);
        }
        throw new Failed("the stream ended");
      } catch (error) {
        if (end.signal.aborted) return;
        told(error.message);
        await new Promise((resolve) => setTimeout(resolve, pause));
        pause = Math.min(5000, pause * 2);
      }
    }
  })();
  return () => end.abort();
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    yield* parts.filter((part) => part);
  }
}
