/** Which replies a steering evaluation asks for: every prompt × attribute × level, seeded. */
import type { AttributeSet } from '../../../schemas/attributes.ts'
import type { Message } from '../../../schemas/records.ts'
import { createRandom } from '../../util/random.ts'

/** One reply to generate: `varied` is at `level`, the others are the same at all of its levels. */
export interface Cell {
  readonly prompt: number
  /** Index of the varied attribute. */
  readonly varied: number
  readonly level: number
  readonly requested: Readonly<Record<string, number>>
  readonly seed: number
}

export interface GridOptions {
  readonly prompts: number
  readonly attributes: AttributeSet
  readonly levels: readonly number[]
  /** The attributes that are not varied: drawn from the levels, or at their defaults. */
  readonly others: 'random' | 'default'
  readonly seed: number
}

export function steeringGrid({ prompts, attributes, levels, others, seed }: GridOptions): Cell[] {
  const cells: Cell[] = []
  for (let prompt = 0; prompt < prompts; prompt++) {
    attributes.forEach((attribute, varied) => {
      const random = createRandom(seed).fork(`${prompt} ${attribute.name}`)
      const fixed = attributes.map((spec) => [
        spec.name,
        others === 'default' ? spec.default : random.pick(levels),
      ])
      for (const level of levels) {
        const requested = { ...Object.fromEntries(fixed), [attribute.name]: level }
        cells.push({ prompt, varied, level, requested, seed: seed * 1_000_003 + cells.length })
      }
    })
  }
  return cells
}

/** The values of a cell in the order of the attributes, as one key. */
export const combinationKey = (cell: Cell, attributes: AttributeSet): string =>
  attributes.map(({ name }) => cell.requested[name]).join()

/** The request in words, for a model that is only prompted: appended to the last message. */
export function askInWords(
  messages: readonly Message[],
  requested: Cell['requested'],
  attributes: AttributeSet,
): Message[] {
  const wishes = attributes.map(({ name, max }) => `${name} ${requested[name]} of ${max}`)
  return messages.map((message, i) =>
    i === messages.length - 1
      ? { ...message, content: `${message.content} (Answer with ${wishes.join(', ')}.)` }
      : message,
  )
}
