"""`fixring docs`: the pages of docs/ that are made from the code."""

import click

from scripts.docs.pages import PAGES, made, path_of


@click.command()
@click.argument("page", required=False, type=click.Choice(sorted(PAGES)))
@click.option("--write", is_flag=True, help="Write the page, or all of them, into docs/.")
def docs(page: str | None, write: bool) -> None:
    """Print PAGE as the code has it; `--write` brings docs/ up to date."""
    if page is None and not write:
        raise click.UsageError(f"name a page ({', '.join(sorted(PAGES))}), or say --write")
    for name in [page] if page else sorted(PAGES):
        if write:
            path_of(name).write_text(made(name), "utf-8")
        else:
            click.echo(made(name), nl=False)
