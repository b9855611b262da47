/** Requests for help: illnesses, repairs, recipes. */
import { illnesses } from '../world/illnesses.ts'
import { recipes, repairs } from '../world/deeds.ts'
import { topicsOf } from './topic.ts'

const illnessFillers = [
  '[half the village|my neighbour|the old miller] had {np} last winter[. All of them got over it|]',
  'many come here with {np} after the rains[. The houses are damp then|]',
  'my [mother|teacher|father] knew every plant in the valley[. I learned most of them on long walks|]',
  'the shelves are full of jars and dried leaves[. Each one has its season|]',
  'a clean bed and quiet help everyone[. That is half of the work|]',
  'the [children|sailors|miners] suffer from {np} most[. They never listen to advice|]',
  'there was a long line at the healer this morning[. It went around the corner|]',
  'old books say a lot about {np}[. Some of it is even right|]',
  'I had {np} myself once[. I remember every hour of it|]',
  'pain makes the nights long[. A little company makes them shorter|]',
]

export const illnessTopics = topicsOf(
  'illness',
  { entities: illnesses, fillers: illnessFillers },
  {
    cure: {
      weight: 3,
      ask: [
        'I have {np}. Can you help me?',
        'what helps against {np}?',
        'how do I treat {np}?',
        'my [brother|sister|child|neighbour] has {np}. What can I do?',
        'do you have anything for {np}?',
        'can you heal {np}?',
        'I need a cure for {np}.',
      ],
      followUp: ['and what helps against it?', 'how do I treat it?', 'is there a cure?'],
      about: 'a cure for {np}',
      facts: [
        '{cure} helps against {np}',
        'the cure for {np} is {cure}',
        '{cure} cures {np}',
        'we treat {np} with {cure}',
        'for {np} we use {cure}',
      ],
      details: ['because {reason}', 'since {reason}'],
      steps: [
        'take it {dose}.',
        'I can bring you what you need.',
        'rest until the pain is gone.',
        'come back if it gets worse.',
        'let me look at it.',
        'ask for it at the herb garden.',
        'drink a lot of water.',
      ],
    },
    duration: {
      ask: ['how long does {np} last?', 'how long until {np} is gone?', 'when will {the} heal?'],
      followUp: [
        'how long until I am well?',
        'how long does it take?',
        'when will I be better?',
        'and how long does that last?',
      ],
      about: 'the length of {np}',
      facts: [
        '{np} lasts {days}',
        '{the} is gone after {days}',
        'it takes {days}',
        'after {days} {the} is gone',
      ],
      details: ['as long as you rest', 'provided you use {cure}', 'unless you work too soon'],
      steps: [
        'rest for {days}.',
        'come back after {days}.',
        'take {cure} {dose}.',
        'let me look at it tomorrow.',
        'visit the healer at noon.',
        'drink a lot of water.',
      ],
    },
    cause: {
      ask: [
        'where does {np} come from?',
        'how do people get {np}?',
        'what causes {np}?',
        'how do I avoid {np}?',
      ],
      followUp: ['where does it come from?', 'how did I get it?', 'what causes it?'],
      about: 'the cause of {np}',
      facts: [
        '{np} comes from {cause}',
        '{cause} causes {np}',
        'you get {np} from {cause}',
        'it comes from {cause}',
      ],
      details: [
        'except in old people',
        'unless you are careful',
        'as long as you are weak',
        'because the body never gets to rest',
      ],
      steps: [
        'rest for a day or two.',
        'take {cure} {dose}.',
        'I can show you how to avoid it.',
        'wait until the pain is gone.',
        'let me see your hands.',
        'drink clean water.',
      ],
    },
  },
)

const repairFillers = [
  'a bent nail can ruin a whole day[. I have seen it happen|]',
  'three other [carts|doors|blades] wait in the yard[. They all came in this week|]',
  'good tools make half of the work[. The other half is patience|]',
  'my [old master|teacher|brother] fixed things with wire and luck[. Most of it held|]',
  'the wood pile is high this season[. There is enough for every beam|]',
  'travellers bring all sorts of broken things[. Each one has a story|]',
  'most people throw such things away too early[. Old work is often better than new|]',
  'the bench is full of work this week[. Somehow it always gets done|]',
  'I once broke a {thing} in the same way[. It happens faster than you think|]',
  'the {thing} has seen better days[. You can tell by the marks|]',
]

export const repairTopics = topicsOf(
  'repair',
  { entities: repairs, fillers: repairFillers },
  {
    request: {
      weight: 2.5,
      ask: [
        'my {thing} {is} {fault}. Can you fix {them}?',
        'can you [mend|repair|fix] my {fault} {thing}?',
        'I need someone to [mend|repair] my {thing}.',
        'my {thing} {was} {fault} on the road. What now?',
        'who can [fix|mend] my {fault} {thing}?',
      ],
      followUp: ['and can you fix {them}?', 'can {they} be saved?'],
      about: '{one}',
      facts: [
        'the {thing} can be mended for {price}',
        '{one} can be fixed',
        'the work on the {thing} costs {price}',
        '{they} can be fixed for {price}',
        'the {thing} needs {time} of work',
      ],
      details: [
        'as long as nothing else breaks',
        'unless the damage is deep',
        'provided there is enough time',
        'except for the old marks',
      ],
      steps: [
        'leave {them} on the bench.',
        'bring {them} here before dusk.',
        'I can start [today|at dawn|at noon].',
        'let me look at {them} now.',
        'come back in {time}.',
        'put {them} on the table.',
        'show me the damage.',
      ],
    },
    time: {
      ask: ['how long does it take to fix {one}?'],
      followUp: [
        'when {is} {they} ready?',
        'how long does it take?',
        'can I have {them} today?',
        'when can I come back?',
      ],
      about: 'the time for the {thing}',
      facts: [
        'the {thing} take{s} {time}',
        '{they} {is} ready in {time}',
        'the work takes {time}',
        'it takes {time}',
      ],
      details: [
        'because {reason}',
        'since {reason}',
        'unless it rains',
        'as long as nothing else breaks',
      ],
      steps: [
        'come back in {time}.',
        'leave {them} here tonight.',
        'I can send word when it is done.',
        'wait at the inn until then.',
        'let me write down your name.',
        'pay half of it today.',
      ],
    },
    price: {
      ask: ['what does it cost to fix {one}?', 'how much is the repair of the {thing}?'],
      followUp: ['how much is it?', 'what does the work cost?', 'and the price?'],
      about: 'the price of the work',
      facts: [
        'the work costs {price}',
        'it costs {price}',
        'the price is {price}',
        'for the {thing} you pay {price}',
      ],
      details: [
        'because {reason}',
        'including the parts',
        'since {reason}',
        'as long as it takes {time}',
      ],
      steps: [
        'pay when the work is done.',
        'bring the coins in {time}.',
        'put the coins on the bench.',
        'I can wait for the coins.',
        'let me write you a note.',
        'show me what you have.',
      ],
    },
  },
)

const recipeFillers = [
  'the smell of {np} fills the whole street[. Even the guards turn their heads|]',
  'my [mother|sister|wife|neighbour] makes {np} on feast days[. There is never any left|]',
  'travellers often ask about {np}[. They want to take the taste home|]',
  'every house here has its own way[. Nobody agrees about the salt|]',
  'the kitchen is the best room in winter[. We sit there until late|]',
  'the pot was a gift from the potter[. It has fed three families|]',
  'children come running for {np}[. They burn their tongues every time|]',
  'at the harvest feast we had {np} for days[. I was full until the snow came|]',
  'I learned it from the old cook at the manor[. She cooked for forty people|]',
]

export const recipeTopics = topicsOf(
  'recipe',
  { entities: recipes, fillers: recipeFillers },
  {
    how: {
      weight: 1.5,
      ask: [
        'how do you make {np}?',
        'how do I cook {np}?',
        'what goes into {np}?',
        'can you teach me to make {np}?',
        'do you know a recipe for {np}?',
        'what do I need for {np}?',
      ],
      followUp: ['and how do I make {them}?', 'what goes into {them}?'],
      about: 'how to make {np}',
      facts: [
        '{np} need{s} {parts}',
        'for {np} you need {parts}',
        '{they} need{s} {parts}',
        'you make {np} from {parts}',
      ],
      details: [
        'provided you have {step}',
        'as long as you are patient',
        'unless you want it plain',
        'including {step}',
      ],
      steps: [
        'start with a clean pot.',
        'bring a big spoon.',
        'I can write it down for you.',
        'let me show you tonight.',
        'buy everything at the market.',
        'eat {them} hot.',
        'try {them} with fresh bread.',
      ],
    },
    time: {
      ask: ['how long does it take to make {np}?'],
      followUp: [
        'how long does it take?',
        'how long must I cook {them}?',
        'when {is} {they} ready?',
      ],
      about: 'the time for {np}',
      facts: [
        '{np} take{s} {time}',
        'it takes {time}',
        '{they} {is} ready after {time}',
        'you cook {them} for {time}',
      ],
      details: ['because {reason}', 'since {reason}', 'unless the fire dies'],
      steps: [
        'start before noon.',
        'put {them} on the table at once.',
        'wait until the smell is right.',
        'I can watch the fire for you.',
        'let me taste it at the end.',
        'bring the bowls in time.',
      ],
    },
  },
)
