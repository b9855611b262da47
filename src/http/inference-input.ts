/** The tensors of an inference request as what an attribute model rates. */
import { z } from 'zod'
import { InputMessages } from '../../schemas/common.ts'
import type { InferenceRequest } from '../../schemas/inference.ts'
import { fail } from '../errors.ts'
import type { PredictInput } from '../services/runtime-types.ts'
import { toMessages } from './generation-input.ts'
import { parseInput } from './parse-body.ts'

type Tensor = InferenceRequest['inputs'][number]

export const inputNames = ['messages', 'sentences', 'prompt', 'response'] as const

/** Most replies of one request. */
const mostRows = 256

/** Fails BAD_REQUEST, naming the input at fault. */
export function ratedInputs({ inputs }: Pick<InferenceRequest, 'inputs'>): PredictInput[] {
  const names = inputs.map(({ name }) => name).sort()
  const rows = new Map(inputs.map((tensor) => [tensor.name, elements(tensor)]))
  switch (names.join()) {
    case 'messages':
      return rows.get('messages')!.map(toConversation)
    case 'sentences':
      return rows.get('sentences')!.map((text) => ({ text }))
    case 'prompt,response': {
      const [prompts, replies] = [rows.get('prompt')!, rows.get('response')!]
      if (prompts.length !== replies.length) {
        const got = `${prompts.length} and ${replies.length}`
        fail('BAD_REQUEST', `inputs: expected as many prompts as responses, got ${got}`, {
          param: 'inputs',
        })
      }
      return prompts.map((content, i) => [
        { role: 'user', content },
        { role: 'assistant', content: replies[i]! },
      ])
    }
    default:
      return fail('BAD_REQUEST', `inputs: expected messages, sentences, or prompt and response, got ${names.join(', ').slice(0, 200)}`, { param: 'inputs' }) // prettier-ignore
  }
}

/** The elements of [n] or [n, 1]. */
function elements({ name, shape, data }: Tensor): string[] {
  const flat = data.flat()
  const [count = 0, width = 1] = shape
  if (width !== 1 || count !== flat.length || count === 0 || count > mostRows) {
    const wanted = `shape [n] or [n, 1] of n elements, 1 to ${mostRows}`
    fail('BAD_REQUEST', `inputs.${name}: expected ${wanted}, got [${shape}] of ${flat.length}`, {
      param: `inputs.${name}`,
    })
  }
  return flat
}

const Conversation = z.union([InputMessages, z.strictObject({ messages: InputMessages })])

/** A JSON text: the messages, alone or as a member. */
function toConversation(text: string, index: number): PredictInput {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    fail('BAD_REQUEST', `inputs.messages: element ${index} is not JSON`, { param: 'inputs.messages' }) // prettier-ignore
  }
  const parsed = parseInput(Conversation, value, `element ${index} of inputs.messages`)
  return toMessages('messages' in parsed ? parsed.messages : parsed)
}
