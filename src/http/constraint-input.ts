/** `response_format` and `structured_outputs` as a constraint on the reply. */
import type { ResponseFormat, StructuredOutputs } from '../../schemas/common.ts'
import { fail } from '../errors.ts'
import type { Constraint } from '../grammar/index.ts'

interface ConstrainedBody {
  response_format?: ResponseFormat | null
  structured_outputs?: StructuredOutputs | null
  ignore_eos?: boolean | null
}

/** Unset when the reply may be any text. Fails BAD_REQUEST for fields that contradict each other. */
export function readConstraint(body: ConstrainedBody): Constraint | undefined {
  const format = body.response_format && formatConstraint(body.response_format)
  const structured = body.structured_outputs && structuredConstraint(body.structured_outputs)
  if (format && structured) refuse('structured_outputs', 'response_format constrains the reply already') // prettier-ignore
  const constraint = format ?? structured ?? undefined
  if (constraint && body.ignore_eos) refuse('ignore_eos', 'a constrained reply ends where it is complete') // prettier-ignore
  return constraint
}

function formatConstraint(format: ResponseFormat): Constraint | undefined {
  if (format.type === 'text') return undefined
  if (format.type === 'json_object') return anyObject('response_format')
  const { schema } = format.json_schema
  if (!schema) return anyObject('response_format')
  return { kind: 'json-schema', schema, param: 'response_format.json_schema.schema' }
}

function anyObject(param: string): Constraint {
  return { kind: 'json-schema', schema: { type: 'object' }, param }
}

function structuredConstraint(structured: StructuredOutputs): Constraint {
  if ('json' in structured) {
    return { kind: 'json-schema', schema: structured.json, param: 'structured_outputs.json' }
  }
  if ('regex' in structured) {
    return { kind: 'regex', pattern: structured.regex, param: 'structured_outputs.regex' }
  }
  return { kind: 'choice', texts: structured.choice, param: 'structured_outputs.choice' }
}

function refuse(param: string, problem: string): never {
  return fail('BAD_REQUEST', `${param}: ${problem}`, { param })
}
