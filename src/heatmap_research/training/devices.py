"""Whether the device that a training is to have is there."""

from pytorch_lightning.accelerators import AcceleratorRegistry

from heatmap_research.types import IncompatibleError

KINDS = {"gpu": ("cuda", "mps")}  # of a word that stands for several


def refuse_absent(accelerator: str) -> None:
    known = {name: entry["accelerator"] for name, entry in AcceleratorRegistry.items()}
    here = [name for name, kind in known.items() if kind.is_available()]
    if accelerator != "auto" and not {*KINDS.get(accelerator, (accelerator,))} & {*here}:
        raise IncompatibleError(
            f"trainer.accelerator={accelerator}: torch finds no such device here: choose "
            "trainer.accelerator=cpu, or auto for the best there is."
        )
