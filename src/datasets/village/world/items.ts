/** Goods: price, seller, what they are good for, why they cost what they cost, what comes with them. */
import type { Entity } from './entity.ts'
import { agreement } from './entity.ts'

const numbers = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'] // prettier-ignore

/** "nine silver", "one copper". */
export function priceWords(amount: number, coin: string): string {
  return `${numbers[amount] ?? String(amount)} ${coin}`
}

type Row = readonly [
  np: string,
  price: number,
  coin: 'copper' | 'silver' | 'gold',
  shop: string,
  use: string,
  reason: string,
  extra: string,
]

const rows: readonly Row[] = [
  ['a sword', 9, 'silver', 'the smithy', 'fighting bandits', 'good steel is rare', 'the belt'],
  ['a dagger', 4, 'silver', 'the smithy', 'close fights', 'the blade is new', 'a leather case'],
  ['an axe', 5, 'silver', 'the smithy', 'splitting logs', 'the handle is oak', 'a spare handle'],
  ['a shield', 7, 'silver', 'the smithy', 'stopping arrows', 'it has an iron rim', 'the straps'],
  [
    'a hammer',
    3,
    'silver',
    'the smithy',
    'driving nails',
    'the head is solid iron',
    'a bag of nails',
  ],
  [
    'a helmet',
    6,
    'silver',
    'the smithy',
    'keeping your head safe',
    'it takes two days to make',
    'the lining',
  ],
  ['a bow', 8, 'silver', 'the hunting lodge', 'shooting deer', 'the wood is yew', 'a spare string'],
  [
    'arrows',
    6,
    'copper',
    'the hunting lodge',
    'hunting deer',
    'the points are steel',
    'the quiver',
  ],
  [
    'a deer skin',
    3,
    'silver',
    'the hunting lodge',
    'making boots',
    'deer are hard to find',
    'the horns',
  ],
  [
    'a trap',
    2,
    'silver',
    'the hunting lodge',
    'catching rabbits',
    'the spring is strong',
    'some bait',
  ],
  ['a room', 4, 'silver', 'the inn', 'a good night of sleep', 'the beds are clean', 'breakfast'],
  ['a mug of ale', 2, 'copper', 'the inn', 'a dry throat', 'we brew it here', 'a slice of bread'],
  [
    'a bowl of stew',
    3,
    'copper',
    'the inn',
    'an empty belly',
    'the meat is fresh',
    'a slice of bread',
  ],
  [
    'a jug of wine',
    1,
    'silver',
    'the inn',
    'a long evening',
    'it comes from the south',
    'two cups',
  ],
  ['a bath', 5, 'copper', 'the inn', 'tired legs', 'hot water takes work', 'a towel'],
  [
    'a loaf of bread',
    2,
    'copper',
    'the bakery',
    'breakfast',
    'flour is cheap this year',
    'some butter',
  ],
  ['an apple pie', 5, 'copper', 'the bakery', 'a feast', 'sugar is costly', 'a spoon of cream'],
  ['a nut cake', 4, 'copper', 'the bakery', 'a birthday', 'it is baked twice', 'some cream'],
  ['a meat pie', 6, 'copper', 'the bakery', 'a long march', 'the beef is fresh', 'some mustard'],
  ['a sack of flour', 8, 'copper', 'the mill', 'baking bread', 'the wheat is clean', 'the sack'],
  ['oats', 3, 'copper', 'the mill', 'feeding horses', 'the harvest was good', 'a small bag'],
  [
    'a basket of eggs',
    4,
    'copper',
    'the farm',
    'a big breakfast',
    'they are fresh today',
    'the basket',
  ],
  ['a jug of milk', 2, 'copper', 'the farm', 'growing children', 'the cows are healthy', 'the jug'],
  ['a cow', 3, 'gold', 'the farm', 'milk and butter', 'she is young and strong', 'a rope'],
  ['a horse', 8, 'gold', 'the stable', 'a long journey', 'it is fast and calm', 'the saddle'],
  ['carrots', 3, 'copper', 'the farm', 'soups', 'the soil is rich', 'the leaves'],
  [
    'a healing potion',
    6,
    'silver',
    'the house of the healer',
    'deep wounds',
    'the herbs are rare',
    'a bandage',
  ],
  [
    'a bandage',
    2,
    'copper',
    'the house of the healer',
    'small cuts',
    'the cloth is clean',
    'a pin',
  ],
  [
    'willow tea',
    3,
    'copper',
    'the house of the healer',
    'headaches',
    'the bark is fresh',
    'a small cup',
  ],
  ['a salve', 1, 'silver', 'the house of the healer', 'burns', 'it needs bee wax', 'the jar'],
  ['a trout', 3, 'copper', 'the harbour', 'supper', 'it was caught today', 'some lemon'],
  [
    'a fishing net',
    5,
    'silver',
    'the harbour',
    'catching trout',
    'the knots are tight',
    'the weights',
  ],
  ['a small boat', 4, 'gold', 'the harbour', 'crossing the lake', 'the planks are new', 'two oars'],
  ['a rope', 6, 'copper', 'the market', 'climbing', 'it is forty feet long', 'an iron hook'],
  ['a lantern', 1, 'silver', 'the market', 'dark caves', 'the glass is thick', 'some oil'],
  ['a map', 2, 'silver', 'the market', 'finding old ruins', 'a scholar drew it', 'the case'],
  ['a cloak', 3, 'silver', 'the market', 'cold nights', 'the wool is thick', 'a pin'],
  ['boots', 4, 'silver', 'the market', 'muddy roads', 'the leather is thick', 'the laces'],
  ['candles', 4, 'copper', 'the market', 'reading at night', 'wax is costly', 'a holder'],
  [
    'a book',
    5,
    'silver',
    'the library',
    'quiet evenings',
    'each page is written by hand',
    'a cover',
  ],
  ['ink', 7, 'copper', 'the library', 'writing letters', 'it never fades', 'a pen'],
  [
    'a prayer candle',
    3,
    'copper',
    'the temple',
    'evening prayers',
    'the wax is pure',
    'a blessing',
  ],
  [
    'holy water',
    1,
    'silver',
    'the temple',
    'chasing ghosts',
    'it is blessed at dawn',
    'the bottle',
  ],
  ['a chair', 2, 'silver', 'the sawmill', 'resting', 'the wood is oak', 'a cushion'],
  ['a table', 6, 'silver', 'the sawmill', 'family dinners', 'the top is one piece', 'a bench'],
  [
    'a wooden toy',
    2,
    'copper',
    'the sawmill',
    'bored children',
    'it is carved by hand',
    'some paint',
  ],
]

const plurals = new Set(['arrows', 'oats', 'carrots', 'boots', 'candles'])

export const items: readonly Entity[] = rows.map(([np, price, coin, shop, use, reason, extra]) => ({
  id: np.replace(/^an? /, ''),
  slots: {
    ...agreement(plurals.has(np)),
    np,
    the: `the ${np.replace(/^an? /, '')}`,
    price: priceWords(price, coin),
    lower: lowerPrice(price, coin),
    shop,
    use,
    reason,
    extra,
  },
}))

/** One coin less; a single coin falls to a few of the next smaller. */
export function lowerPrice(amount: number, coin: string): string {
  if (amount > 1) return priceWords(amount - 1, coin)
  return coin === 'gold' ? priceWords(9, 'silver') : priceWords(9, 'copper')
}
