/** Work for the player, repairs, recipes, feasts: things that are done. */
import type { Entity } from './entity.ts'
import { agreement } from './entity.ts'

type Quest = readonly [task: string, reward: string, risk: string, where: string, reason: string]

const questRows: readonly Quest[] = [
  [
    'clear the spiders from the cellar',
    'five silver',
    'their bite',
    'below the inn',
    'the ale is stored there',
  ],
  ['find the lost sheep', 'two silver', 'the wolves', 'on the north hill', 'the shepherd is lame'],
  [
    'carry a letter to the manor',
    'one silver',
    'the bandits',
    'on the hill road',
    'the messenger is away',
  ],
  [
    'guard the carts to the bridge',
    'six silver',
    'an ambush',
    'on the west road',
    'two carts were robbed',
  ],
  [
    'gather ten moon herbs',
    'three silver',
    'the marsh',
    'near the swamp',
    'the healer has none left',
  ],
  [
    'chase the ghost from the graveyard',
    'eight silver',
    'its cold touch',
    'behind the temple',
    'the children are afraid',
  ],
  [
    'mend the fence of the orchard',
    'nine copper',
    'the bear',
    'west of the mill',
    'the deer eat the apples',
  ],
  [
    'bring iron from the mine',
    'four silver',
    'falling rocks',
    'in the northern hills',
    'the smith has run out',
  ],
  ['find the missing bell', 'seven silver', 'the deep water', 'in the lake', 'the feast is near'],
  [
    'catch the thief of the market',
    'five silver',
    'a hidden knife',
    'around the square',
    'three purses are gone',
  ],
  [
    'scare the goblins from the caves',
    'nine silver',
    'their arrows',
    'below the ridge',
    'they steal our tools',
  ],
  [
    'deliver flour to the bakery',
    'six copper',
    'the rain',
    'on baker street',
    'the cart has lost a wheel',
  ],
  [
    'search the ruins for an old book',
    'seven silver',
    'the skeletons',
    'east of the hills',
    'the scholar needs it',
  ],
]

export const quests: readonly Entity[] = questRows.map(([task, reward, risk, where, reason]) => ({
  id: task,
  slots: { np: 'the job', task, reward, risk, where, reason },
}))

type Repair = readonly [
  thing: string,
  fault: string,
  time: string,
  price: string,
  reason: string,
  plural?: 'plural',
]

const repairRows: readonly Repair[] = [
  ['sword', 'bent', 'two days', 'two silver', 'steel bends slowly'],
  ['shield', 'cracked', 'three days', 'three silver', 'the rim must be replaced'],
  ['boots', 'torn', 'one day', 'five copper', 'the thread must dry', 'plural'],
  ['cart', 'broken', 'four days', 'four silver', 'the wheel needs new wood'],
  ['net', 'torn', 'one day', 'four copper', 'every knot is tied by hand'],
  ['axe', 'dull', 'an hour', 'two copper', 'the stone is slow'],
  ['bow', 'cracked', 'two days', 'three silver', 'the glue needs time'],
  ['roof', 'leaking', 'five days', 'six silver', 'straw is short this year'],
  ['kettle', 'leaking', 'an hour', 'three copper', 'tin melts fast'],
  ['helmet', 'bent', 'one day', 'one silver', 'the iron is thick'],
  ['cloak', 'torn', 'one day', 'three copper', 'the cloth is old'],
  ['door', 'broken', 'two days', 'two silver', 'the hinges are odd'],
]

export const repairs: readonly Entity[] = repairRows.map(
  ([thing, fault, time, price, reason, plural]) => ({
    id: thing,
    slots: {
      ...agreement(plural !== undefined),
      np: `the ${thing}`,
      thing,
      one: plural === undefined ? `a ${fault} ${thing}` : `${fault} ${thing}`,
      fault,
      time,
      price,
      reason,
    },
  }),
)

type Recipe = readonly [np: string, parts: string, step: string, time: string, reason: string]

const recipeRows: readonly Recipe[] = [
  [
    'barley soup',
    'barley, carrots and salt',
    'a slow boil',
    'one hour',
    'barley needs a slow fire',
  ],
  ['apple pie', 'apples, flour and butter', 'a hot oven', 'an hour', 'the crust must be crisp'],
  [
    'fish stew',
    'trout, leeks and cream',
    'a low fire',
    'half an hour',
    'fish breaks when it boils',
  ],
  ['rye bread', 'rye flour, water and salt', 'a night of rest', 'two hours', 'the dough must rise'],
  ['berry jam', 'berries, sugar and lemon', 'a lot of stirring', 'two hours', 'it burns easily'],
  ['roast deer', 'deer, garlic and thyme', 'an iron spit', 'four hours', 'the meat is tough'],
  [
    'mint tea',
    'mint leaves and hot water',
    'a covered pot',
    'five minutes',
    'the steam holds the taste',
  ],
  ['pancakes', 'eggs, milk and flour', 'a hot pan', 'a few minutes', 'a cold pan makes them heavy'],
  [
    'mushroom sauce',
    'mushrooms, cream and pepper',
    'a wide pan',
    'half an hour',
    'the water must go',
  ],
  ['onion broth', 'onions, bones and salt', 'a big pot', 'three hours', 'bones give slowly'],
]

export const recipes: readonly Entity[] = recipeRows.map(([np, parts, step, time, reason]) => ({
  id: np,
  slots: { ...agreement(np === 'pancakes'), np, parts, step, time, reason },
}))

type Feast = readonly [np: string, day: string, where: string, what: string, reason: string]

const feastRows: readonly Feast[] = [
  [
    'the harvest feast',
    'on the last day of autumn',
    'in the square',
    'roast deer and cider',
    'the barns must be full first',
  ],
  [
    'the spring fair',
    'on the first market day of spring',
    'at the market',
    'music and cheap goods',
    'the roads are dry then',
  ],
  [
    'the fishing contest',
    'in the middle of summer',
    'at the harbour',
    'a silver cup',
    'the trout are fat then',
  ],
  [
    'the night of lanterns',
    'at the first new moon of winter',
    'by the lake',
    'songs and paper boats',
    'the dead are remembered',
  ],
  [
    'the wedding of the mayor',
    'tomorrow at noon',
    'at the temple',
    'a great cake',
    'the bride comes from far away',
  ],
  [
    'the horse race',
    'on the longest day of the year',
    'on the south road',
    'a gold coin',
    'the nights are bright then',
  ],
  [
    'the midwinter play',
    'on the shortest day of the year',
    'at the town hall',
    'masks and hot wine',
    'there is little work then',
  ],
]

export const feasts: readonly Entity[] = feastRows.map(([np, day, where, what, reason]) => ({
  id: np.replace('the ', ''),
  slots: { np, day, where, what, reason },
}))
