"""The inventory: a YAML file of environments, read into frozen values.

`load` reads and checks; `Inventory.environment` hands out one environment.
Every mistake is one line with file, line, column, key path, what was expected
and, for a typing error, what was probably meant.
"""

from runbook.inventory.loading import Inventory, load
from runbook.inventory.mistakes import InventoryError, Mistake

__all__ = ["Inventory", "InventoryError", "Mistake", "load"]
