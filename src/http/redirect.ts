import type { IncomingMessage, ServerResponse } from 'node:http'
import { systemClock } from '../lib/clock.ts'
import { isUnread, lingerAtEnd } from './drain.ts'

/** A host name or address with its port, and nothing that would make it another URL. */
const HOST = /^([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/

/**
 * Sends who speaks plain HTTP to HTTPS, to do the same there (308, RFC 9110 §15.4.9). `port` is where HTTPS is served;
 * without it, it is where the client came to.
 */
export function redirectToHttps(port?: (request: IncomingMessage) => number | undefined) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const [, name, asked = '80'] = HOST.exec(request.headers.host ?? '') ?? []
    const own = {
      'OData-Version': '4.0',
      'Cache-Control': 'no-cache',
      'Content-Length': 0,
      Connection: 'close',
    }
    if (isUnread(request)) lingerAtEnd(request, systemClock)
    if (name === undefined) return void response.writeHead(400, own).end()
    const target = pathOf(request.url ?? '/')
    const Location = `https://${name}${portSuffix(String(port?.(request) ?? asked))}${target}`
    response.writeHead(308, { Location, ...own }).end()
  }
}

function portSuffix(port: string): string {
  return port === '443' ? '' : `:${port}`
}

/** A proxy asks with a whole URL (RFC 9112 §3.2.2), OPTIONS with `*`. */
function pathOf(url: string): string {
  const path = url.replace(/^http:\/\/[^/?]*/i, '')
  return path.startsWith('/') ? path : '/'
}
