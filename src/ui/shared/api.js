/** Requests to the API: the key, errors with their own message, uploads with progress. */
import { askForKey, keyHeaders, storedKey } from './key.js'

/** An error of the API: `code` and `param` as in `docs/errors.md`. */
export class ApiError extends Error {
  constructor(message, { status = 0, code = 'unknown', param = null } = {}) {
    super(message)
    Object.assign(this, { status, code, param })
  }
}

const noAnswer = () =>
  new ApiError('The server does not answer. Is it still running?', { code: 'no_answer' })

/** The response, once it is a good one. Asks for a key on 401 and tries again. */
export async function request(path, options = {}) {
  const sent = storedKey()
  const headers = { ...options.headers, ...keyHeaders() }
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    if (options.signal?.aborted) throw error
    throw noAnswer()
  })
  if (response.ok) return response
  const error = toError(await response.text(), response.status, path)
  if (await isWorthAnotherTry(error, sent)) return request(path, options)
  throw error
}

export const getJson = async (path, options) => (await request(path, options)).json()

/** Sends `body` as JSON; undefined sends none. */
export async function sendJson(method, path, body) {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await request(path, { method, headers, body: JSON.stringify(body) })
  return response.status === 204 ? null : response.json()
}

/** Uploads a form; `onProgress(sent, total)` in bytes. `signal` ends it. */
export function uploadForm(path, form, { onProgress, signal } = {}) {
  const sent = storedKey()
  return new Promise((resolve, reject) => {
    const transfer = new XMLHttpRequest() // fetch cannot tell how much was sent
    transfer.open('POST', path)
    for (const [name, value] of Object.entries(keyHeaders())) transfer.setRequestHeader(name, value)
    transfer.upload.addEventListener('progress', (event) => onProgress?.(event.loaded, event.total))
    transfer.addEventListener('load', async () => {
      if (transfer.status < 300) return resolve(JSON.parse(transfer.responseText))
      const error = toError(transfer.responseText, transfer.status, path)
      if (await isWorthAnotherTry(error, sent))
        resolve(uploadForm(path, form, { onProgress, signal })) // prettier-ignore
      else reject(error)
    })
    transfer.addEventListener('error', () => reject(noAnswer()))
    transfer.addEventListener('abort', () => reject(new ApiError('The upload was stopped.')))
    signal?.addEventListener('abort', () => transfer.abort(), { once: true })
    transfer.send(form)
  })
}

function toError(text, status, path) {
  let body
  try {
    body = JSON.parse(text)
  } catch {
    // Not from the API: a proxy's page, or nothing.
  }
  const { message, code, param } = body?.error ?? {}
  return new ApiError(message ?? `${path.split('?')[0]}: status ${status}`, { status, code, param })
}

/** After a 401: whether there is another key now than the one that was sent. */
async function isWorthAnotherTry(error, sentKey) {
  if (error.status !== 401) return false
  return storedKey() !== sentKey || askForKey(error.message)
}
