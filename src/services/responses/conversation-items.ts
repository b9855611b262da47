/**
 * The items that a response is made from: those of the response before it, its output, then the request's own, each
 * with an id. The id of an item begins with that of the response that it came with, so that it is found by it alone.
 */
import type {
  ResponseInputItem,
  ResponseInputMessage,
  ResponseItem,
  ResponseRequest,
} from '../../../schemas/responses.ts'
import { fail } from '../../errors.ts'
import type { ResponseStore, StoredResponse } from './response-store.ts'

export interface ItemsOptions {
  store: ResponseStore
  keyId: string | null
  /** The id of the response that is being made. */
  id: string
}

/** Fails NOT_FOUND for a response or an item that this key has not. */
export async function conversationItems(
  {
    input,
    previous_response_id: previous,
  }: Pick<ResponseRequest, 'input' | 'previous_response_id'>,
  options: ItemsOptions,
): Promise<ResponseItem[]> {
  const before = previous == null ? [] : await itemsAfter(previous, options)
  const given: ResponseInputItem[] =
    typeof input === 'string' ? [{ role: 'user', content: input }] : input
  const own = given.map(async (item, index) =>
    item.type === 'item_reference'
      ? referredItem(item.id, index, options)
      : toItem(item, messageId(options.id, `${index}`)),
  )
  return [...before, ...(await Promise.all(own))]
}

/** Of an item that came with the response; its reply has no mark. */
export function messageId(responseId: string, mark = ''): string {
  const number = responseId.replace(/^resp_/, '')
  return mark === '' ? `msg_${number}` : `msg_${number}_${mark}`
}

/** Fails NOT_FOUND. */
export async function getResponse(
  id: string,
  { store, keyId, param }: Pick<ItemsOptions, 'store' | 'keyId'> & { param?: string },
): Promise<StoredResponse> {
  const found = await store.get(id, keyId)
  return found ?? fail('NOT_FOUND', `no response "${id.slice(0, 80)}"`, { param })
}

async function itemsAfter(id: string, options: ItemsOptions): Promise<ResponseItem[]> {
  const param = 'previous_response_id'
  const { response, items } = await getResponse(id, { ...options, param })
  return [...items, ...response.output]
}

async function referredItem(
  id: string,
  index: number,
  { store, keyId }: ItemsOptions,
): Promise<ResponseItem> {
  const number = /^msg_([0-9a-f]{32})(_\d+)?$/.exec(id)?.[1]
  const found = number === undefined ? null : await store.get(`resp_${number}`, keyId)
  const item = [...(found?.items ?? []), ...(found?.response.output ?? [])].find(
    (each) => each.id === id,
  )
  return item ?? fail('NOT_FOUND', `no item "${id.slice(0, 80)}"`, { param: `input.${index}.id` })
}

function toItem({ role, content, attributes }: ResponseInputMessage, id: string): ResponseItem {
  const texts = typeof content === 'string' ? [content] : content.map(({ text }) => text)
  const head = { id, type: 'message', status: 'completed' } as const
  if (role !== 'assistant') {
    return { ...head, role, content: texts.map((text) => ({ type: 'input_text', text })) }
  }
  return {
    ...head,
    role,
    content: texts.map((text) => ({ type: 'output_text', text, annotations: [], logprobs: [] })),
    ...(attributes && { attributes }),
  }
}
