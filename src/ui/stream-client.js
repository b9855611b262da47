/** The WebSocket `/v1/stream` (docs/websocket.md): several replies over one socket, reconnecting when it drops. */

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
  }

  /**
   * Starts a reply; `onMessage` gets its messages. Resolves with the `done` message, rejects with the
   * `error` message or one like it. `cancel()` ends it early, which also gives `done`.
   */
  start(request, onMessage) {
    const id = `s${++this.#count}`
    const result = this.#connect().then(
      (socket) =>
        new Promise((resolve, reject) => {
          this.#listeners.set(id, (message) => {
            if (message.type === 'done' || message.type === 'error') this.#listeners.delete(id)
            if (message.type === 'done') resolve(message)
            else if (message.type === 'error') reject(message)
            else onMessage(message)
          })
          socket.send(JSON.stringify({ type: 'start', id, ...request }))
        }),
    )
    return { result, cancel: () => this.#cancel(id) }
  }

  #cancel(id) {
    if (!this.#listeners.has(id)) return
    this.#socket.send(JSON.stringify({ type: 'cancel', id }))
  }

  #connect() {
    if (this.#socket?.readyState === WebSocket.OPEN) return Promise.resolve(this.#socket)
    this.#opening ??= new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#url)
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
