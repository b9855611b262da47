/** One documented route. Each area of the API lists its own in a file of this folder; `openapi.ts` joins them. */
import type { z } from 'zod'

export type NamedSchemas = Readonly<Record<string, z.ZodType>>

export interface Operation<Name extends string = string> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  path: string
  summary: string
  /** The schema of a JSON body. */
  body?: Name
  /** Other content types that the body may have, each with a sentence on what it holds. */
  rawBody?: Readonly<Record<string, string>>
  /** The schema of the JSON answer; null: an answer without a body, or `rawResponse` alone. */
  response: Name | null
  /** Status of success; 200 unless given, 204 where there is no body. */
  status?: number
  /** Content types of an answer that is not JSON. */
  rawResponse?: readonly string[]
  /** The frames of the same answer as server-sent events. */
  events?: Name
  parameters?: readonly { name: string; in: 'path' | 'query'; description: string }[]
  /** Error statuses beside 400 and 500. */
  errors?: readonly number[]
}
