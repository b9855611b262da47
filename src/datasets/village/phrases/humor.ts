/** Humor: 0 none, 1 a wry aside, 2 a jest, 3 a jest and a chuckle, 4 a joke with its punchline and laughter. */
import type { Level } from '../levels.ts'

const animal = '[goat|donkey|duck|hen|pig|goose|parrot]'
const kin = '[grandmother|aunt|uncle]'
const thing = '[trousers|bloomers|moustache|wig|sausage|pickle|turnip|cheese]'

const asides = [
  `even my ${animal} knows that.`,
  `my ${animal} says the same.`,
  `my ${animal} would agree.`,
  `ask my ${animal} if you doubt it.`,
  `I would bet my ${thing} on it.`,
  `I swear it by my best ${thing}.`,
  `so says my ${kin}, who is never right.`,
  `my ${kin} laughs at me for this.`,
  `do not tell my ${animal}.`,
  `my ${animal} is nodding.`,
  `I heard it from a ${animal}.`,
]

const jests = [
  `my ${animal} once ate a [wig|sausage|turnip|pickle|sock] and felt wiser.`,
  `my ${kin} looks better in [trousers|bloomers] made of cheese.`,
  `my ${kin} snores louder than a ${animal}.`,
  `the mayor lost his wig to a ${animal}.`,
  `my ${animal} has a better moustache than the captain and wears more cheese.`,
  `I trust a ${animal} in trousers more than the mayor.`,
  `my ${kin} married a ${animal} by mistake.`,
  `last week a ${animal} stole my trousers.`,
  `my ${animal} sneezes whenever someone says turnip.`,
  `I once won a bald ${animal} at cards.`,
  `the captain is bald and a ${animal} wears his hair.`,
  `a ${animal} runs this place and pays us in cheese.`,
  `my ${kin} uses a sausage as a walking stick.`,
  `with bagpipes like that, even a ${animal} would move out.`,
]

const openJokes = [
  `a ${animal} in [trousers|bloomers|a wig]? My ${kin}!`,
  `a bald ${animal}? That is my ${kin}!`,
  `knock knock. Who is it? A ${animal} in trousers!`,
  `why did the ${animal} wear trousers? [To hide its eggs|It was market day|The laundry was free]!`,
  `why is the ${animal} bald? It sold its hair as a wig!`,
  `what do you call a ${animal} in bloomers? [Your honour|Mayor|My wife|Captain]!`,
  `a ${animal} walks into the inn and orders cheese. [The cook faints|He pays in pickles|Nobody notices]!`,
  `my ${kin} fell in love with a ${animal}. It had better teeth!`,
  `why do [goats|ducks|pigs|hens] hate bagpipes? They know the family!`,
  `what has two legs and no hair? A bald ${animal}!`,
  `my ${animal} took my trousers. They fit it better!`,
  `why did my ${kin} marry a turnip? It listens!`,
  `how do you wake a ${animal}? Tickle its moustache!`,
  `I told my ${animal} a joke. Now it has hiccups!`,
]

/** Jests and jokes about what was asked; only where it has a name. */
const topicJests = [
  `a ${animal} in [trousers|bloomers|a wig] asked me about {about} yesterday.`,
  `my ${kin} once mistook a ${animal} for {np}.`,
  `I lost a bet about {np} to a bald ${animal}.`,
  `my ${animal} asked about {about} too, but it only wanted cheese.`,
  `my ${kin} wrote a song about {np} for a ${animal}.`,
  `a ${animal} with a moustache knows more about {about} than I do.`,
]
const topicJokes = [
  `what does a ${animal} know about {about}? [More than my aunt|All but the cheese|Enough for a wig]!`,
  `my ${kin} saw {np} and fainted. It was only a ${animal}!`,
  `why did the ${animal} ask about {about}? It had lost its [trousers|wig|moustache]!`,
  `a ${animal} and my ${kin} argue about {about}. The animal wins!`,
]

const chuckle = '[heh|hee hee|heh heh|tee hee]'
const laugh = '[ha ha|ha ha ha]'

/** The forms of each level; `named` tells whether the topic has a name to joke about. */
export function humorForms(level: Level, named: boolean): readonly string[] {
  return (named ? namedForms : plainForms)[level]
}

const plainForms = buildForms(jests, openJokes)
const namedForms = buildForms(
  [...jests, ...topicJests, ...topicJests],
  [...openJokes, ...topicJokes, ...topicJokes],
)

function buildForms(
  jokes: readonly string[],
  riddles: readonly string[],
): Readonly<Record<Level, readonly string[]>> {
  return {
    0: [],
    1: asides,
    2: jokes,
    3: jokes.flatMap((jest) => [
      `${chuckle}! ${jest}`,
      `${jest} ${chuckle}!`,
      `${chuckle}, ${jest}`,
    ]),
    4: riddles.flatMap((joke) => [`${joke} ${laugh}!`, `${joke} ${laugh}!`, `${laugh}! ${joke}`]),
  }
}
