/**
 * The one prompt template of training, serving and evaluation. A conversation becomes segments — text of the
 * turns, label line, reply, end of turn — and every segment is encoded on its own, so that the tokens of a
 * prompt plus the tokens of its reply are exactly the tokens of the training row, whatever the merges.
 * The layout (`chat-layout.ts`, `nemo-layout.ts`) says what the segments are; encoding, masks and stops are the
 * same for both.
 */
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { TemplateKind } from '../../schemas/model-manifest.ts'
import type { Message } from '../../schemas/records.ts'
import { fail } from '../errors.ts'
import { formatLabel } from '../labels/label-codec.ts'
import type { ChatTemplate } from '../text/chat-template.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import { createChatLayout } from './chat-layout.ts'
import { createNemoLayout } from './nemo-layout.ts'
import type { Segment, TemplateLayout } from './template-layout.ts'

export interface TrainingRow {
  tokens: number[]
  /** lossMask[j] = 1: tokens[j] is a target that counts. */
  lossMask: Uint8Array
}

export interface PromptTemplate {
  readonly kind: TemplateKind
  /**
   * Ends right before the reply's first token. Values are rounded half to even; missing ones are left out,
   * and with none at all there is no label line. Earlier assistant turns show their own labels.
   */
  promptTokens(messages: readonly Message[], attributes: Record<string, number>): number[]
  /** The same as text. */
  promptText(messages: readonly Message[], attributes: Record<string, number>): string
  /** The label line alone, with which `promptTokens` ends. */
  labelTokens(attributes: Record<string, number>): number[]
  /**
   * Up to the end of the last assistant turn; what stands after it could teach nothing and is left out.
   * Every assistant turn's reply and end of turn count. `labelDropout(n)` hides the label line of the n-th
   * assistant turn. Fails BAD_RECORD without an assistant turn.
   */
  trainingRow(
    messages: readonly Message[],
    options?: { labelDropout?: (turnIndex: number) => boolean },
  ): TrainingRow
  /** An attribute model's input: ends with the last reply and its end mark. Fails BAD_REQUEST. */
  scoringTokens(messages: readonly Message[]): number[]
  /** Any of these ends a reply. */
  readonly stopTokens: number[]
  readonly stopStrings: string[]
}

export interface PromptTemplateOptions {
  kind: TemplateKind
  tokenizer: Tokenizer
  /** Needed by the kind `chat`. */
  chatTemplate: ChatTemplate | null
  attributes: AttributeSet
}

/** Fails BAD_TEMPLATE when the checkpoint's chat template is missing or cannot mark turns. */
export function createPromptTemplate(options: PromptTemplateOptions): PromptTemplate {
  const { kind, tokenizer, attributes } = options
  const layout = createLayout(options)
  const encode = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false })
  const noLabel = (): string => ''
  const ownLabel = (message: Message): string => formatLabel(attributes, message.attributes ?? {})
  const lineOf = (label: string): Segment => ({ text: layout.labelLine(label), counted: false })
  const tokensOf = (segments: readonly Segment[]): number[] =>
    segments.flatMap((segment) => encode(segment.text))
  const promptSegments = (messages: readonly Message[], values: Record<string, number>) => [
    ...layout.prompt(messages, ownLabel),
    lineOf(formatLabel(attributes, values)),
  ]
  const endTokens = encode(layout.endOfTurn)

  return {
    kind,
    promptTokens: (messages, values) => tokensOf(promptSegments(messages, values)),
    labelTokens: (values) => encode(lineOf(formatLabel(attributes, values)).text),
    promptText: (messages, values) =>
      promptSegments(messages, values)
        .map(({ text }) => text)
        .join(''),

    trainingRow(messages, { labelDropout = () => false } = {}) {
      const last = messages.findLastIndex((message) => message.role === 'assistant')
      const reply = messages[last]
      if (!reply) return fail('BAD_RECORD', 'messages: no assistant turn, so nothing to learn')
      const label = (message: Message, index: number): string =>
        labelDropout(assistantTurnsBefore(messages, index)) ? '' : ownLabel(message)
      return maskedRow(encode, [
        ...layout.prompt(messages.slice(0, last), label),
        lineOf(label(reply, last)),
        { text: reply.content, counted: true },
        { text: layout.endOfTurn, counted: true },
      ])
    },

    scoringTokens(messages) {
      const reply = messages.at(-1)
      if (reply?.role !== 'assistant') {
        const found = reply ? `a ${reply.role} message` : 'no message'
        fail('BAD_REQUEST', `messages: expected an assistant message last, found ${found}`, {
          param: 'messages',
        })
      }
      const seen = layout.scoringMessages(messages.slice(0, -1))
      return tokensOf([
        ...layout.prompt(seen, noLabel),
        { text: reply.content, counted: false },
        { text: layout.scoringEnd, counted: false },
      ])
    },

    // A mark of several ordinary tokens cannot stop by itself; its stop string does.
    stopTokens: [...new Set([...tokenizer.eosIds, ...endTokens.filter(tokenizer.isSpecial)])],
    stopStrings: layout.stopStrings,
  }
}

function createLayout(options: PromptTemplateOptions): TemplateLayout {
  if (options.kind === 'nemo') return createNemoLayout()
  const { chatTemplate, tokenizer } = options
  if (!chatTemplate) {
    fail('BAD_TEMPLATE', 'the checkpoint has no chat template (chat_template.jinja), found none')
  }
  return createChatLayout(chatTemplate, tokenizer)
}

function assistantTurnsBefore(messages: readonly Message[], index: number): number {
  return messages.slice(0, index).filter((message) => message.role === 'assistant').length
}

function maskedRow(encode: (text: string) => number[], segments: readonly Segment[]): TrainingRow {
  const tokens: number[] = []
  const mask: number[] = []
  for (const { text, counted } of segments) {
    for (const token of encode(text)) {
      tokens.push(token)
      mask.push(counted ? 1 : 0)
    }
  }
  return { tokens, lossMask: Uint8Array.from(mask) }
}
