import type { FastifyReply, FastifyRequest } from 'fastify'
import { JSON_TYPE } from '../../http/errors.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'

export function answer(
  reply: FastifyReply,
  status: number,
  body: JsonObject | readonly JsonObject[],
): FastifyReply {
  return reply.code(status).type(JSON_TYPE).send(JSON.stringify(body))
}

/** One member of a list, and what it is found by when the list goes on behind it. */
interface Listed {
  /** In their order: numbers by their value, names as the alphabet has them. */
  readonly key: number | string
  readonly view: () => JsonObject
}

const LIMIT = { usual: 100, most: 1_000 }

/** What the keys of a list look like, and so the bookmarks in it; whether what had such a key is still there or not. */
const keys = { number: /^\d{1,15}$/, type: /^[^/]+$/, device: /^[^/]+\/[^/]+$/ }

interface List {
  readonly keys: keyof typeof keys
  readonly all: readonly Listed[]
}

/** A page of a list that is in the order of its keys: as IBM's platform tells it, with the bookmark of the next. */
export function sendPage(request: FastifyRequest, reply: FastifyReply, list: List): FastifyReply {
  const { limit, bookmark } = pageOf(request, keys[list.keys])
  const { all } = list
  const isAfter = ({ key }: Listed): boolean =>
    bookmark === undefined || (typeof key === 'number' ? key > Number(bookmark) : key > bookmark)
  const first = all.findIndex(isAfter)
  const page = first === -1 ? [] : all.slice(first, first + limit)
  const isMore = first !== -1 && first + limit < all.length
  return answer(reply, 200, {
    results: page.map(({ view }) => view()),
    meta: { total_rows: all.length },
    ...(isMore && { bookmark: String(page.at(-1)?.key) }),
  })
}

interface Page {
  readonly limit: number
  readonly bookmark: string | undefined
}

function pageOf({ url }: FastifyRequest, key: RegExp): Page {
  const start = url.indexOf('?')
  const options = new URLSearchParams(start === -1 ? '' : url.slice(start + 1))
  const limit = options.get('_limit') ?? String(LIMIT.usual)
  const bookmark = options.get('_bookmark') ?? undefined
  const isInRange = /^\d{1,9}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= LIMIT.most
  const mistakes = [
    ...(isInRange
      ? []
      : [message('Base.QueryParameterOutOfRange', limit.slice(0, 20), '_limit', `1 to ${LIMIT.most}`)]),
    ...(bookmark === undefined || key.test(bookmark)
      ? []
      : [message('Base.QueryParameterValueFormatError', bookmark.slice(0, 80), '_bookmark')]),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  return { limit: Number(limit), bookmark }
}
