/**
 * The words a right answer to a topic holds, for measuring whether a reply answers the player at all.
 * Topics with many right answers (any tale, any job, small talk) have none.
 */
import type { Slots } from './phrase.ts'

const keySlots: Readonly<Record<string, string>> = {
  'place.direction': 'direction',
  'place.distance': 'distance',
  'place.hours': 'opens',
  'place.keeper': 'keeper',
  'place.night': 'night',
  'item.price': 'price',
  'item.shop': 'shop',
  'item.use': 'use',
  'item.discount': 'lower',
  'person.where': 'where',
  'person.who': 'who',
  'person.trust': 'trait',
  'monster.where': 'lair',
  'monster.weakness': 'weakness',
  'monster.danger': 'harm',
  'illness.cure': 'cure',
  'illness.duration': 'days',
  'illness.cause': 'cause',
  'recipe.how': 'parts',
  'recipe.time': 'time',
  'repair.time': 'time',
  'repair.price': 'price',
  'tale.end': 'end',
  'tale.moral': 'moral',
  'rumour.source': 'source',
  'rumour.next': 'next',
  'quest.reward': 'reward',
  'quest.danger': 'risk',
  'feast.day': 'day',
  'feast.place': 'where',
  'name.name': 'speaker',
  'weather.now': 'now',
}

/** The key words of the right answer, or undefined where there is no single one. */
export function expectedAnswer(topic: string, slots: Slots): string | undefined {
  const slot = keySlots[topic]
  return slot === undefined ? undefined : slots[slot]
}

/** Whether a reply holds the expected words. */
export function answersPlayer(expected: string, reply: string): boolean {
  return reply.toLowerCase().includes(expected.toLowerCase())
}
