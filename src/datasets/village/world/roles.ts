/** The speakers: roles, their home, and the names they may bear. */
import type { Slots } from '../phrase.ts'

export interface Role {
  readonly id: string
  /** The place of work; questions to this speaker avoid it. */
  readonly home: string
  readonly slots: Slots
}

const rows: readonly (readonly [id: string, home: string, work: string, tool: string])[] = [
  ['guard', 'north gate', 'watch the gate', 'spear'],
  ['innkeeper', 'inn', 'run the inn', 'keys'],
  ['healer', 'herb garden', 'heal the sick', 'herbs'],
  ['smith', 'smithy', 'work iron', 'hammer'],
  ['merchant', 'market', 'sell goods from the south', 'scales'],
  ['storyteller', '', 'tell old tales', 'lute'],
  ['farmer', '', 'grow wheat and carrots', 'plough'],
  ['priestess', 'temple', 'lead the prayers', 'candles'],
  ['fisher', 'harbour', 'catch trout', 'nets'],
  ['miller', 'mill', 'grind the wheat', 'stones'],
  ['hunter', '', 'hunt deer', 'bow'],
  ['baker', 'bakery', 'bake the bread', 'oven'],
  ['scholar', 'library', 'keep the books', 'pen'],
  ['carpenter', 'sawmill', 'build tables and doors', 'saw'],
  ['groom', 'stable', 'look after the horses', 'brush'],
]

export const roles: readonly Role[] = rows.map(([id, home, work, tool]) => ({
  id,
  home,
  slots: { role: id, work, tool },
}))

/** A speaker of whom nothing is known. */
export const plainVillager: Role = {
  id: 'villager',
  home: '',
  slots: { role: 'villager', work: 'do what needs doing', tool: 'hands' },
}

// prettier-ignore
const women = [
  'Mira', 'Odessa', 'Lena', 'Nessa', 'Petra', 'Hilda', 'Kara', 'Maren', 'Oda', 'Selma',
  'Ulla', 'Wanda', 'Zelda', 'Alma', 'Clara',
]
// prettier-ignore
const men = [
  'Bram', 'Torvald', 'Edric', 'Garrick', 'Osric', 'Corin', 'Jory', 'Ludo', 'Nils', 'Rurik',
  'Tobin', 'Viggo', 'Yorick', 'Boris', 'Darius',
]
const allNames = [...women, ...men]

/** The names a speaker may bear; a priestess bears the name of a woman. */
export function speakerNames(role: Role): readonly string[] {
  return role.id === 'priestess' ? women : allNames
}

export const villageNames = ['Eldermere', 'Thornby', 'Willowford', 'Stonehaven', 'Ravenhill'] // prettier-ignore

export const weathers = [
  { id: 'rain', fact: 'It is raining.', now: 'it is raining', wear: 'a thick cloak' },
  { id: 'sun', fact: 'The sun is shining.', now: 'the sun is shining', wear: 'a straw hat' },
  { id: 'snow', fact: 'It is snowing.', now: 'it is snowing', wear: 'fur boots' },
  { id: 'fog', fact: 'There is thick fog.', now: 'there is thick fog', wear: 'a lantern' },
  {
    id: 'storm',
    fact: 'A storm is coming.',
    now: 'a storm is coming',
    wear: 'a roof over your head',
  },
  { id: 'wind', fact: 'A cold wind blows.', now: 'a cold wind blows', wear: 'a wool scarf' },
] as const
