/** How players put a question: greetings before it, asides after it, in many tempers. */
import type { Random } from '../../util/random.ts'
import { expand, polish, say } from './phrase.ts'
import type { Slots } from './phrase.ts'

const openers = [
  '[good morning|good evening|good day|hello|greetings|hail], [{address}|{address}|stranger].',
  '[hello|greetings|good day].',
  'excuse me, {address}.',
  'excuse me.',
  '[hey|ho] there!',
  '[hey|you there], {address}!',
  'I just arrived in the village.',
  'I have come a long way.',
  'I have a question, {address}.',
  'sorry to bother you.',
  '{address}, listen.',
  'they sent me to you.',
]
const closers = [
  'I am new here.',
  'I am in a hurry.',
  'it is important.',
  'please.',
  'please help me.',
  'I can pay.',
  'my [friends|horses|companions] are waiting.',
  'a friend told me to ask you.',
  'I would be [grateful|very grateful].',
  'and be [quick|honest].',
  'I have no time.',
  'nobody else would tell me.',
]

/** The first message of a conversation. */
export function openingMessage(asks: readonly string[], slots: Slots, random: Random): string {
  const question = say(asks, slots, random)
  const roll = random.next()
  const parts = [question]
  if (roll < 0.55) parts.unshift(say(openers, slots, random))
  if (roll > 0.4 && roll < 0.7) parts.push(say(closers, slots, random))
  return polish(parts.join(' '))
}

/** A later message: mostly bare, sometimes with a word of reaction. */
export function followUpMessage(asks: readonly string[], slots: Slots, random: Random): string {
  const reaction = '[I see.|hm.|all right.|oh.|really?|good to know.|interesting.|fine.|thank you.]'
  const question = say(asks, slots, random)
  const text = random.next() < 0.3 ? `${expand(reaction, slots, random)} ${question}` : question
  return polish(text)
}
