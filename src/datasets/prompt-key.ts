/** What conversations have to share to be about the same prompt, so that none of them is in both parts of a split. */
import type { Message } from '../../schemas/records.ts'

/**
 * The first message of the user, without its case and spaces: replies to it, and conversations that go on from it, stay
 * together. A conversation without one (single sentences) stands for itself.
 */
export function promptKey(messages: readonly Message[]): string {
  const first = messages.find(({ role }) => role === 'user') ?? messages.at(-1)!
  return first.content.toLowerCase().replace(/\s+/g, ' ').trim()
}
