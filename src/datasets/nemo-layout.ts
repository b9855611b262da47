/**
 * The layout `nemo`: NeMo-Aligner's `<extra_id_N>` turns. Each reply ends with a line feed and the next turn's
 * start mark, which counts in the loss and therefore stops a generation.
 */
import type { Message } from '../../schemas/records.ts'
import * as nemo from './nemo-format.ts'
import type { Segment, TemplateLayout } from './template-layout.ts'

export function createNemoLayout(): TemplateLayout {
  return {
    prompt: nemoPrompt,
    labelLine: nemo.labelLine,
    endOfTurn: nemo.endOfTurn,
    scoringEnd: `\n${nemo.labelStart}`,
    // The regression format always shows the constant system prompt.
    scoringMessages: (messages) => messages.filter((message) => message.role !== 'system'),
    stopStrings: [nemo.turnStart],
  }
}

function nemoPrompt(
  messages: readonly Message[],
  label: (message: Message, index: number) => string,
): Segment[] {
  const segments: Segment[] = []
  const first = messages[0]
  let text = nemo.systemTurn(first?.role === 'system' ? first.content : nemo.systemPrompt)
  // After a reply, its end segment already holds the start mark of the turn that follows.
  let afterReply = false
  const start = (turn: string): string => (afterReply ? turn.slice(nemo.turnStart.length) : turn)
  messages.forEach((message, index) => {
    if (message.role === 'system') return
    if (message.role === 'user') {
      text += start(nemo.userTurn(message.content))
      afterReply = false
      return
    }
    segments.push(
      { text: text + start(nemo.assistantStart), counted: false },
      { text: nemo.labelLine(label(message, index)), counted: false },
      { text: message.content, counted: true },
      { text: nemo.endOfTurn, counted: true },
    )
    text = ''
    afterReply = true
  })
  segments.push({ text: text + start(nemo.assistantStart), counted: false })
  return segments
}
