// Signing in: by the one-time token behind the # of the printed address, or by name and password.
const said = document.getElementById("said");

async function signIn(body) {
  const answer = await fetch("/api/sign-in", { method: "POST", body: JSON.stringify(body) });
  if (answer.ok) {
    location.replace("/");
    return;
  }
  said.textContent = (await answer.json()).error;
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn({ name: document.getElementById("name").value, password: document.getElementById("password").value });
});
// Only now: without the handler the browser itself would send the form, which the policy blocks.
document.querySelector("#form button").disabled = false;
said.textContent = "";

const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname);
  signIn({ token });
}
