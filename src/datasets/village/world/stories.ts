/** Tales and rumours: a first part, an end, and what people make of them. */
import type { Entity } from './entity.ts'

type Tale = readonly [np: string, plot: string, reason: string, end: string, moral: string]

const taleRows: readonly Tale[] = [
  [
    'the drowned bell',
    'A bell fell into the lake and still rings before storms',
    'the last monk sank with it',
    'the monk climbs the shore once a year',
    'debts outlive us',
  ],
  [
    'the stone bride',
    'A bride waited on the ridge until she turned to stone',
    'her soldier never came home',
    'the soldier came back and sat down beside her',
    'waiting has a price',
  ],
  [
    'the fox king',
    'A fox stole the crown and ruled the forest for a year',
    'the lion slept all summer',
    'the lion woke and made the fox his clerk',
    'clever words need strong legs',
  ],
  [
    'the hungry well',
    'A well ate every coin until a girl fed it a song',
    'it was lonely',
    'the well gave all the coins back',
    'company is worth more than coins',
  ],
  [
    'the blind smith',
    'A blind smith made a sword that no king could lift',
    'he forged it from his anger',
    'a child lifted it and laughed',
    'anger is heavy',
  ],
  [
    'the two brothers',
    'Two brothers found a door under the hill',
    'a dwarf had sold them a map',
    'one brother opened it and the other ran',
    'greed opens bad doors',
  ],
  [
    'the last giant',
    'The last giant carried our bridge stone by stone',
    'a shepherd had healed his foot',
    'he lay down to sleep and became the ridge',
    'good deeds return',
  ],
  [
    'the winter guest',
    'A stranger paid for supper with a black seed',
    'he had no coins',
    'the seed became the great oak in one night',
    'small gifts grow',
  ],
  [
    'the singing wolf',
    'A wolf learned to sing and the sheep came to listen',
    'hunting had made him sad',
    'he forgot his hunger and guarded the sheep',
    'art can tame us',
  ],
  [
    'the ferry of ghosts',
    'A ferryman rowed the dead across for one copper each',
    'he had lost a bet',
    'he rowed his own mother and asked for nothing',
    'love is free',
  ],
  [
    'the clock tower',
    'The clock stopped at midnight and nobody grew older',
    'a witch hid the key',
    'an old man found the key and wound it',
    'time is a gift',
  ],
  [
    'the brave tailor',
    'A tailor sewed a flag so large that armies fled',
    'they thought a king was coming',
    'the tailor cut it up for winter coats',
    'big flags look like big armies',
  ],
]

export const tales: readonly Entity[] = taleRows.map(([np, plot, reason, end, moral]) => ({
  id: np.replace('the ', ''),
  slots: { np: `the tale of ${np}`, title: np, plot, reason, end, moral },
}))

type Rumour = readonly [np: string, news: string, reason: string, source: string, next: string]

const rumourRows: readonly Rumour[] = [
  [
    'the king',
    'the king is sick and sees no one',
    'his doctor fled',
    'a rider from the city',
    'his daughter takes the crown',
  ],
  [
    'the mine',
    'the dwarf has found silver in the mine',
    'a wall fell in',
    'a miner',
    'strangers come to dig for silver',
  ],
  [
    'the bridge',
    'the bridge has a crack',
    'the flood was strong',
    'the stone cutters',
    'the guards close it for a week',
  ],
  [
    'the taxes',
    'taxes go up after the harvest',
    'the war is costly',
    'the tax collector',
    'the farmers protest',
  ],
  [
    'the dragon',
    'the dragon was seen over the black mountain',
    'its eggs were stolen',
    'two shepherds',
    'the guards set fires on the ridge',
  ],
  [
    'the manor',
    'the lady of the manor wants to marry the bard',
    'he sang at her window',
    'her cook',
    'her brothers come to stop it',
  ],
  [
    'the well',
    'the old well tastes of iron',
    'something lies at the bottom',
    'the healer',
    'a diver goes down tomorrow',
  ],
  [
    'the thief',
    'the thief escaped from the cells',
    'a guard fell asleep',
    'the captain',
    'the gates are watched all night',
  ],
  [
    'the wizard',
    'the wizard blew a hole in his roof',
    'he mixed the wrong powders',
    'the scholar',
    'the library stays closed',
  ],
  [
    'the lake',
    'there are lights under the lake',
    'the moon is near',
    'the fishers',
    'no boat leaves after dusk',
  ],
  [
    'the merchant',
    'a rich merchant hid gold near the old tower',
    'bandits followed him',
    'the innkeeper',
    'half the village digs holes',
  ],
  [
    'the wolves',
    'a white wolf leads the pack now',
    'the old leader died',
    'the hunters',
    'the sheep stay in the barns',
  ],
]

export const rumours: readonly Entity[] = rumourRows.map(([np, news, reason, source, next]) => ({
  id: np.replace('the ', ''),
  slots: { np, news, reason, source, next },
}))
