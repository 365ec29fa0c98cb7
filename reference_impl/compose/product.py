"""Product: the reward is the product of its components."""

import math

from reference_impl.compose.composite import AsyncComposite, Composite, Values


class Product(Composite):
    """Pay the product of the components.

    One component of 0 makes the whole 0: a soft "and" for values in [0, 1]. All components are
    scored in any case. To leave out a dear one, use a `Gate`. Two negative values make a positive
    one, which is rarely meant.

    Args:
        components: The reward functions by name.

    Raises:
        ValueError: If there is no component, or a name is empty or has a dot in it.
        TypeError: If a component cannot be a part.

    Example:
        >>> from reference_impl import exact_match_reward_fn, format_reward_fn
        >>> reward = Product({"correct": exact_match_reward_fn, "format": format_reward_fn})
        >>> reward("2 + 2?", r"It is \\boxed{4}.", [], [], answer="4")
        0.0

    Explained in :ref:`composition-product`.
    """

    def _combine(self, values: Values) -> float:
        return math.prod(values[name] for name in self._components)


class AsyncProduct(AsyncComposite, Product):
    """Pay the product of components of which some are awaited, such as judges.

    Args:
        components: As for `Product`.

    Explained in :ref:`composition-judge`.
    """
