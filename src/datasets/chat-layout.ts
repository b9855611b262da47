/**
 * The layout `chat`: the checkpoint's own Jinja template, with the label line as the first line of the reply.
 * A Jinja template is opaque, so replies are rendered as marks that no text contains and the rendered text is
 * cut at the marks; what stands after a mark begins with the end of that turn. A template may write turns that are
 * over otherwise than a turn to come (a space, an empty thought); a row shows them as a prompt would.
 */
import { fail } from '../errors.ts'
import type { Message } from '../../schemas/records.ts'
import type { ChatTemplate, TemplateMessage } from '../text/chat-template.ts'
import type { Tokenizer } from '../text/tokenizer.ts'
import type { Segment, TemplateLayout } from './template-layout.ts'

/** Between private-use characters: it survives `trim` and JSON, and text with it is refused below. */
const mark = (index: number): string => `\uf8f0${index}\uf8f1`
const markPattern = /\uf8f0(\d+)\uf8f1/g

const labelLine = (label: string): string => (label === '' ? '' : `${label}\n`)

export function createChatLayout(template: ChatTemplate, tokenizer: Tokenizer): TemplateLayout {
  const endOfTurn = findEndOfTurn(template, tokenizer)
  return {
    prompt: (messages, label) => chatPrompt(template, endOfTurn, messages, label),
    labelLine,
    endOfTurn,
    scoringEnd: endOfTurn,
    scoringMessages: (messages) => messages,
    stopStrings: [],
  }
}

/**
 * What the template writes after a reply, up to and including the first special token (`<|im_end|>`). A template
 * without one there has to rely on the tokenizer's end token.
 */
function findEndOfTurn(template: ChatTemplate, tokenizer: Tokenizer): string {
  const rendered = template.render([
    { role: 'user', content: 'x' },
    { role: 'assistant', content: mark(1) },
  ])
  const after = cutAtMarks(rendered, [1])[1]!
  const ids = tokenizer.encode(after, { addSpecialTokens: false })
  const first = ids.findIndex((id) => tokenizer.isSpecial(id))
  if (first >= 0) {
    const token = tokenizer.decode([ids[first]!])
    return after.slice(0, after.indexOf(token) + token.length)
  }
  const end = tokenizer.eosIds[0]
  if (end === undefined) {
    fail(
      'BAD_TEMPLATE',
      'the chat template ends a reply with no special token, and there is no end token',
    )
  }
  return tokenizer.decode([end])
}

function chatPrompt(
  template: ChatTemplate,
  endOfTurn: string,
  messages: readonly Message[],
  label: (message: Message, index: number) => string,
): Segment[] {
  const marked = messages.map((message, index) => markedMessage(message, index))
  const replies = messages.flatMap((message, index) =>
    message.role === 'assistant' ? [{ message, index }] : [],
  )
  const texts = cutAtMarks(
    template.render(marked, { addGenerationPrompt: true }),
    replies.map((reply) => reply.index),
  )
  const segments: Segment[] = [{ text: texts[0]!, counted: false }]
  replies.forEach(({ message, index }, n) => {
    const after = texts[n + 1]!
    segments.push({ text: labelLine(label(message, index)), counted: false })
    segments.push({ text: message.content, counted: true })
    // Only a template that ends this turn as it ends the last one can teach the end here.
    const ends = after.startsWith(endOfTurn)
    if (ends) segments.push({ text: endOfTurn, counted: true })
    segments.push({ text: ends ? after.slice(endOfTurn.length) : after, counted: false })
  })
  return segments
}

function markedMessage(message: Message, index: number): TemplateMessage {
  if (message.content.search(markPattern) >= 0) {
    fail('BAD_REQUEST', `messages[${index}]: U+F8F0, a number and U+F8F1 together are reserved`, {
      param: 'messages',
    })
  }
  return {
    role: message.role,
    content: message.role === 'assistant' ? mark(index) : message.content,
  }
}

/** The texts around the marks; there must be exactly these, in this order. */
function cutAtMarks(rendered: string, expected: readonly number[]): string[] {
  const found = [...rendered.matchAll(markPattern)].map((match) => Number(match[1]))
  if (found.join() !== expected.join()) {
    fail('BAD_TEMPLATE', 'the chat template drops, repeats or reorders assistant turns')
  }
  return rendered.split(/\uf8f0\d+\uf8f1/)
}
