"""What all verbs are, and what those are that use plugins."""
from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..plugin_output import Show
    from ..report import LoadReport
    from ..runtime import Runtime
    from ..settings import Configuration, Settings

__all__ = ["PluginVerb", "Verb", "set_up_logging"]


class Verb:
    """One verb of the command line. Its arguments become attributes of it, as `add_arguments` declares them."""

    configuration: Configuration

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments; the flags of every verb are there already."""

    def run(self) -> int | None:
        """Do it: print data on stdout. Returns the exit code, None for 0, or raises what went wrong."""
        raise NotImplementedError


class PluginVerb(Verb):
    """A verb that needs plugins: they are started before `use`, and gone after it, whatever ends the run.

    Rule: what can be refused without plugins is, in `prepare`, before any is started.
    """

    plugin_files: tuple[str, ...] = ()
    """Executables to load, strictly, in place of what the directories have; for `prepare` to set."""

    def prepare(self) -> None:
        """Check the arguments."""

    def use(self, runtime: Runtime) -> int | None:
        """Do it, with every plugin loaded that can be; returns and raises what `run` does."""
        raise NotImplementedError

    def tell(self, report: LoadReport) -> None:
        """Say which plugins were not loaded, in a line on stderr, and which directories are none; the run goes on."""
        from ..render import failed

        for directory in report.directories:
            if not os.path.isdir(directory):
                why = "is no directory" if os.path.lexists(directory) else "does not exist"
                text = f"plugin-dir: {directory} {why}"
                self._warn(text, {"message": text})
        if report.failures:
            names = ", ".join(map(os.path.basename, report.failed_paths))
            left_out = [{"path": path, "reason": reason} for path, reason in failed(report)]
            text = f"not loaded: {names} (`python -m host doctor` says why)"
            self._warn(text, {"message": report.summary(), "not_loaded": left_out})

    def _warn(self, text: str, data: dict[str, object]) -> None:
        """On stderr, `text` for people, `data` for programs."""
        from ..render import json_text
        from ..terminal import Paint, note

        note(json_text({"warning": data}) if self.settings.json
             else f"{Paint(sys.stderr)('warning:', 'bold', 'yellow')} {text}")

    def run(self) -> int | None:
        from ..interrupts import Interrupts
        from ..terminal import Progress

        self.prepare()
        set_up_logging(as_json=self.settings.json)
        with Interrupts(self.settings.timeout) as interrupts:
            runtime = self.new_runtime()
            try:
                return interrupts.call(lambda: self._load_and_use(runtime))
            finally:
                with Progress("ending plugins"):
                    runtime.close()

    def new_runtime(self) -> Runtime:
        """A runtime as the settings say, to be loaded."""
        from ..runtime import Runtime

        settings = self.settings
        return Runtime(
            settings.plugin_dir,
            settings.allow_plugin_module,
            plugin_files=self.plugin_files,
            strict=settings.strict or bool(self.plugin_files),
            call_timeout=settings.call_timeout,
            start_timeout=settings.start_timeout,
            timeout=settings.timeout,
            memory=settings.memory,
            show_output=self.output_to(),
        )

    def load(self, runtime: Runtime) -> None:
        """Load it, while a line says how far that is, and tell what was left out."""
        from ..terminal import Progress

        with Progress("starting plugins") as progress:
            runtime.load(lambda done, total, path: progress.show(done, total, os.path.basename(path)))
        self.tell(runtime.report)

    def output_to(self) -> Show | None:
        """What shows what plugins log and print; None for nothing."""
        from ..plugin_output import printer

        return printer(as_json=self.settings.json) if self.settings.plugin_logs else None

    def _load_and_use(self, runtime: Runtime) -> int | None:
        self.load(runtime)
        return self.use(runtime)


def set_up_logging(*, as_json: bool) -> None:
    """Show the host's own warnings. What a plugin wrote is part of the errors where it matters, or has a flag."""
    import logging

    handler = logging.NullHandler() if as_json else logging.StreamHandler()
    handler.addFilter(lambda record: not record.name.startswith("plugin."))
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", handlers=[handler])
