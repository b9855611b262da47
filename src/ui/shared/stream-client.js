/**
 * The WebSocket `/v1/stream` (docs/websocket.md): several replies over one socket, reconnecting when it drops.
 * One client serves the whole page.
 */
import { keyProtocols } from './key.js'

export class StreamClient {
  #url
  #socket
  #opening
  #listeners = new Map()
  #count = 0
  #onState

  /** `onState(isOpen)` hears of connection and loss. */
  constructor(path, onState) {
    const url = new URL(path, location.href)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    this.#url = url
    this.#onState = onState
    document.addEventListener('steerlm-key', () => this.#socket?.close())
  }

  /**
   * Sends a message under a new id; `onMessage` gets the answers. Resolves with the message of type `last`, rejects
   * with the `error` message or one like it. `send` adds a message under the same id while there is no such end.
   */
  open(message, { last, onMessage = () => {} }) {
    const id = `s${++this.#count}`
    const result = this.#connect().then(
      (socket) =>
        new Promise((resolve, reject) => {
          this.#listeners.set(id, (answer) => {
            const isEnd = answer.type === last || answer.type === 'error'
            if (isEnd) this.#listeners.delete(id)
            if (answer.type === last) resolve(answer)
            else if (isEnd) reject(answer)
            else onMessage(answer)
          })
          socket.send(JSON.stringify({ ...message, id }))
        }),
    )
    const send = (more) => {
      if (this.#listeners.has(id)) this.#socket.send(JSON.stringify({ ...more, id }))
    }
    return { id, result, send }
  }

  /** Starts a reply; `cancel()` ends it early, which also gives its `done` message. */
  start(request, onMessage) {
    const stream = this.open({ type: 'start', ...request }, { last: 'done', onMessage })
    return { ...stream, cancel: () => stream.send({ type: 'cancel' }) }
  }

  #connect() {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket)
    this.#opening ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url, keyProtocols())
      socket.addEventListener('open', () => {
        this.#socket = socket
        this.#opening = undefined
        this.#onState(true)
        resolve(socket)
      })
      socket.addEventListener('message', (event) => this.#receive(JSON.parse(event.data)))
      socket.addEventListener('close', () => {
        this.#opening = undefined
        this.#onState(false)
        const message = 'The connection to the server was lost. Is it still running?'
        const lost = { type: 'error', code: 'connection_lost', message }
        reject(lost)
        for (const listener of [...this.#listeners.values()]) listener(lost)
      })
    })
    return this.#opening
  }

  #receive(message) {
    if (message.id) this.#listeners.get(message.id)?.(message)
  }
}

let isOpen = true
/** For every view; what it says of the connection goes to `steerlm-connection`. */
export const stream = new StreamClient('/v1/stream', (open) => {
  isOpen = open
  document.dispatchEvent(new Event('steerlm-connection'))
})
export const isConnected = () => isOpen
