/** Tells a database that is gone from a statement that is wrong. */

const networkCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'])

/** Whether drizzle's error says that the connection to the server was lost or could not be made. */
export function isLostConnection(error: unknown): boolean {
  const { cause } = (error ?? {}) as { cause?: { code?: string; message?: string } }
  const { code = '', message = '' } = cause ?? {}
  // 08: connection exceptions; 57P01 to 57P03: the server stops, crashed, or is starting.
  const isServers = /^(08...|57P0[123])$/.test(code)
  return isServers || networkCodes.has(code) || message.startsWith('Connection terminated')
}
