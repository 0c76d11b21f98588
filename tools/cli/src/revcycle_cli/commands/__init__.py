"""One module per command or small group of commands.

A module has `register(app: typer.Typer) -> None`. What is heavy is imported inside the commands, so that
`revcycle --help` answers at once.
"""
