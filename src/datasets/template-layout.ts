/**
 * What the two layouts of the prompt template have in common: a conversation as segments of text.
 */
import type { Message } from '../../schemas/records.ts'

/** A piece of a conversation that is encoded on its own. `counted`: a target of the loss. */
export interface Segment {
  text: string
  counted: boolean
}

/** How one kind of template cuts a conversation. All texts; no tokens. */
export interface TemplateLayout {
  /**
   * The segments up to where the next reply begins, without its label line. `label` gives the label text of
   * each earlier assistant turn ('' for none); the index is the message's.
   */
  prompt(
    messages: readonly Message[],
    label: (message: Message, index: number) => string,
  ): Segment[]
  /** The label line of the reply; '' for an empty label. */
  labelLine(label: string): string
  /** What the model says when a reply is over. */
  endOfTurn: string
  /** What follows the last reply in an attribute model's input. */
  scoringEnd: string
  /** The messages as an attribute model sees them. */
  scoringMessages(messages: readonly Message[]): readonly Message[]
  stopStrings: string[]
}
