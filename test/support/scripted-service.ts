import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { listen } from './image-server.ts'

/** An answer; `lost`: the connection is, instead. */
export interface Reply {
  readonly status?: number
  readonly body?: JsonObject
  readonly headers?: Readonly<Record<string, string>>
  readonly ending?: 'lost' | 'never'
  /** So long until it is answered: what comes meanwhile is under way at once. */
  readonly lagMs?: number
}

interface Request {
  readonly line: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A service that answers each request by the next of its replies, the last of them for ever; 404 where there is none. */
export async function startService(script: Readonly<Record<string, Reply | readonly Reply[]>>) {
  const requests: Request[] = []
  const counts = new Map<string, number>()
  let [open, most] = [0, 0]
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`
    const at = counts.get(line) ?? 0
    counts.set(line, at + 1)
    const replies = [script[line] ?? { status: 404 }].flat()
    const reply = replies[Math.min(at, replies.length - 1)] ?? {}
    let body = ''
    most = Math.max(most, ++open)
    response.once('close', () => open--)
    request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk))
    request.once('end', () => {
      requests.push({ line, headers: request.headers, body })
      if (reply.ending === 'lost') return void request.socket.destroy()
      if (reply.ending === 'never') return
      const status = reply.status ?? 200
      setTimeout(() => {
        response.writeHead(status, reply.headers).end(status === 204 ? '' : JSON.stringify(reply.body ?? {}))
      }, reply.lagMs ?? 0)
    })
  })
  const { port, connections } = await listen(server)
  return {
    hostName: `http://127.0.0.1:${port}`,
    requests,
    connections,
    /** How many requests were under way at once, at most. */
    mostAtOnce: () => most,
    times: (line: string) => requests.filter((one) => one.line === line).length,
  }
}
