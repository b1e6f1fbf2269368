"""The animals of the diorama."""

from ovvis_cli.diorama.kinds import critters, mammals
from ovvis_cli.diorama.kinds.kind import Kind

KINDS: tuple[Kind, ...] = (
    Kind("dog", ("puppy", "hound"), mammals.draw_dog),
    Kind("cat", ("kitten", "kitty"), mammals.draw_cat),
    Kind("horse", ("pony", "stallion"), mammals.draw_horse),
    Kind("rabbit", ("bunny", "hare"), mammals.draw_rabbit, novel=True),
    Kind("elephant", ("tusker",), mammals.draw_elephant),
    Kind("giraffe", ("giraffe calf",), mammals.draw_giraffe, novel=True),
    Kind("pig", ("hog", "piglet"), mammals.draw_pig, novel=True),
    Kind("whale", ("cetacean",), mammals.draw_whale, novel=True),
    Kind("fish", ("goldfish", "carp"), critters.draw_fish),
    Kind("bird", ("songbird", "sparrow"), critters.draw_bird),
    Kind("duck", ("mallard", "duckling"), critters.draw_duck),
    Kind("owl", ("owlet",), critters.draw_owl, novel=True),
    Kind("penguin", ("emperor penguin",), critters.draw_penguin),
    Kind("turtle", ("tortoise", "terrapin"), critters.draw_turtle),
    Kind("snake", ("serpent", "viper"), critters.draw_snake, novel=True),
    Kind("frog", ("toad",), critters.draw_frog),
    Kind("snail", ("escargot",), critters.draw_snail),
    Kind("butterfly", ("moth",), critters.draw_butterfly),
    Kind("spider", ("tarantula", "arachnid"), critters.draw_spider),
    Kind("crab", ("crustacean",), critters.draw_crab, novel=True),
)
