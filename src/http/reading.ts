import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Bmc, Row } from '../bmc/bmc.ts'
import { etagOfText } from '../redfish/etag.ts'
import { applyQuery, isAboutOneResource } from '../redfish/query/apply.ts'
import { firstPage } from '../redfish/query/page.ts'
import type { Query } from '../redfish/query/parse.ts'
import type { Resource } from '../redfish/resource.ts'
import { allows, type Principal } from '../redfish/resource-table.ts'
import { requirementOfRow } from './access.ts'
import { contextOf, paramsOf, pathOf } from './context.ts'
import { sendCoded } from './encoding.ts'
import { notFound } from './errors.ts'
import type { FindRow } from './path-index.ts'
import { headersOf, type Rendering, Renderings } from './rendering.ts'

/** How resources are read: whole from what is rendered already, or as a query asks. */
export class Reading {
  readonly #renderings: Renderings
  readonly #pageSize: number
  readonly #findRow: FindRow

  constructor(findRow: FindRow, pageSize: number) {
    this.#renderings = new Renderings(pageSize)
    this.#pageSize = pageSize
    this.#findRow = findRow
  }

  /** GET and HEAD of a row's resource. */
  answer(request: FastifyRequest, reply: FastifyReply, row: Row): unknown {
    const { query, bmc, principal } = contextOf(request)
    const plain = this.render(request, row)
    if (query === undefined) return sendCoded(request, reply, plain)
    const asked: Asked = { bmc, principal, row, query, preparing: [] }
    const sent = this.#queried(this.resource(request, row), plain, asked)
    if (asked.preparing.length === 0) return sendCoded(request, reply, sent)
    return Promise.all(asked.preparing).then(() => this.answer(request, reply, row))
  }

  /** The resource of a request as it is now. Throws a RedfishError (404) where there is none. */
  render(request: FastifyRequest, row: Row): Rendering {
    const { bmc } = contextOf(request)
    const path = pathOf(request)
    const rendering = this.#renderings.get(bmc, path, row, () => row.view(bmc, paramsOf(request)))
    if (rendering === undefined) throw notFound(path)
    return rendering
  }

  /** The resource of a request before it is rendered: all of it, where that shows only the first page of a collection. */
  resource(request: FastifyRequest, row: Row): Resource {
    const resource = row.view(contextOf(request).bmc, paramsOf(request))
    if (resource === undefined) throw notFound(pathOf(request))
    return resource
  }

  #queried(resource: Resource, { etag, headers }: Rendering, asked: Asked): Rendering {
    // What clients may write is seen by the whole resource.
    const { Allow = '' } = headers
    const shown = applyQuery({ ...resource, '@odata.etag': etag }, asked.query, {
      lookup: (uri) => this.#lookup(uri, asked),
      pageSize: this.#pageSize,
    })
    const body = Buffer.from(JSON.stringify(shown))
    // Until other resources are in it, the ETag of the resource changes with every change of the answer, and is the
    // one that a PATCH wants to hear.
    const own = isAboutOneResource(asked.query) ? etag : etagOfText(body)
    return { body, etag: own, headers: { ...headersOf(shown, own, asked.row), Allow } }
  }

  /** What a GET of another resource would show to the same requester. */
  #lookup(uri: string, { bmc, principal, preparing }: Asked): Resource | undefined {
    const path = uri.replace(/\/$/, '')
    const found = this.#findRow(path)
    // Whoever must change a password first sees nothing else.
    if (found === undefined || principal?.mustChangePassword === true) return undefined
    const { value: row, params } = found
    const isOwn = row.owner === undefined || row.owner(bmc, params) === principal?.username
    if (!allows(requirementOfRow(row, bmc, path, 'GET'), principal, isOwn)) return undefined
    const prepared = row.prepare?.(bmc, params)
    if (prepared !== undefined) preparing.push(prepared)
    const view = (): Resource | undefined => row.view(bmc, params)
    const rendering = this.#renderings.get(bmc, path, row, view)
    const resource = rendering && view()
    return resource && { ...firstPage(resource, this.#pageSize), '@odata.etag': rendering.etag }
  }
}

/** Who asked what of which row. */
interface Asked {
  readonly bmc: Bmc
  readonly principal: Principal | undefined
  readonly row: Row
  readonly query: Query
  /** What is being made because the answer shows it: when it is there, the query is answered anew. */
  readonly preparing: Promise<unknown>[]
}
