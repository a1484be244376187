"""The games, one paper a file, named like its paper; `recipe` is what each of them returns."""
