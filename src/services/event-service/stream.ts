import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Events } from '../../events/events.ts'
import type { StreamOutlet } from '../../events/event-stream.ts'
import { streamWish, type Wish } from '../../events/filters.ts'
import type { EndpointHandler, RequestContext } from '../../http/context.ts'
import { isKept } from '../../http/kept.ts'
import type { Endpoint } from '../../http/mount.ts'
import type { Journal } from '../../journal/journal.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { uris } from '../../redfish/uris.ts'
import { requireService, tooMany } from './index.ts'

/** The ServerSentEventUri: a stream stays open until its reader, its EventDestination or the service goes. */
export function eventStream(events: Events, journal?: Journal): Endpoint {
  const get: EndpointHandler = (request, reply, context) => {
    requireService(context.bmc)
    const wish = wishOf(context)
    const lastEventId = request.headers['last-event-id']
    const { raw } = reply
    const opened = events.openStream(context.bmc, {
      outlet: outletOf(request, reply, journal),
      owner: context.principal?.username,
      address: addressOf(request),
      wish,
      lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
    })
    if (!opened.ok) throw tooMany()
    raw.on('close', opened.value)
    // Destroyed while it was written to: an end like any other.
    raw.on('error', () => {})
    // Gone before anybody listened.
    if (raw.destroyed) opened.value()
    return reply
  }
  return {
    path: uris.eventStream,
    privileges: {},
    methods: { GET: get },
    produces: 'text/event-stream',
    takesQuery: true,
  }
}

/** Of the query options a stream has `$filter` only (DSP0266, server-sent events). */
function wishOf({ query }: RequestContext): Wish {
  if (query === undefined) return () => true
  const others = query.given.filter((name) => name !== '$filter')
  if (others.length > 0) throw new RedfishError(400, message('Base.QueryNotSupportedOnResource'))
  if (query.filter === undefined) return () => true
  const wish = streamWish(query.filter)
  if (!wish.ok) throw new RedfishError(400, message('Base.QueryParameterValueError', '$filter'))
  return wish.value
}

/** Takes the answer over from Fastify when the first bytes are written: until then it can still be an error. */
function outletOf(
  { raw: { socket } }: FastifyRequest,
  reply: FastifyReply,
  journal: Journal | undefined,
): StreamOutlet {
  const { raw } = reply
  const begin = (): void => {
    if (raw.headersSent) return
    const headers = reply.getHeaders()
    reply.hijack()
    socket.setNoDelay(true)
    raw.writeHead(200, {
      ...(headers as Readonly<Record<string, string>>), // names and texts: nobody has set any other
      // As they are named there: one in other letters would be a second one.
      allow: 'GET',
      'cache-control': 'no-cache, no-store',
      'content-type': 'text/event-stream',
      connection: 'close',
      'x-accel-buffering': 'no',
    })
  }
  return {
    get backlogBytes() {
      return raw.writableLength
    },
    write: (text) => {
      if (!isKept(journal)) return void raw.destroy()
      begin()
      raw.write(text)
    },
    end: () => {
      begin()
      raw.end()
    },
    destroy: () => raw.destroy(),
  }
}

function addressOf({ ip, socket }: FastifyRequest): string {
  return `${ip.includes(':') ? `[${ip}]` : ip}:${socket.remotePort ?? 0}`
}
