import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { allowedTypes, resetActionOf } from '../bmc/reset-types.ts'
import type { Bmc } from '../bmc/bmc.ts'
import { type Static, Type } from '../lib/schema.ts'
import { judge, type Mistake } from '../redfish/validation.ts'
import { wholes } from '../tasks/retention.ts'
import { isFinal } from '../tasks/task.ts'
import { type Fleet, type Member, whyNotAdded } from './fleet.ts'
import type { Urls } from './urls.ts'

const DEFAULT_TOP = 100
const MAX_TOP = 1_000
/** Added at once. */
const MAX_COUNT = 10_000
/** Who may be meant by a request to this machine: no name that somebody else could point here. */
const LOOPBACK_HOST = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i
const closed = { additionalProperties: false }

const Page = Type.Object(
  {
    skip: Type.Optional(Type.String({ pattern: '^\\d{1,9}$' })),
    top: Type.Optional(Type.String({ pattern: '^\\d{1,9}$' })),
    group: Type.Optional(Type.String()),
    state: Type.Optional(Type.Unsafe<'up' | 'in-reset'>({ enum: ['up', 'in-reset'] })),
  },
  closed,
)
const Addition = Type.Object(
  { group: Type.String(), count: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_COUNT })) },
  closed,
)
const Reset = Type.Object(
  { resource: Type.Optional(Type.String()), type: Type.Optional(Type.String()) },
  closed,
)
const judgePage = judge(Page)
const judgeAddition = judge(Addition)
const judgeReset = judge(Reset)

export interface ControlOptions {
  readonly fleet: Fleet
  readonly urlsOf: (member: Member) => readonly Urls[]
  /** Begins the reset of a resource of a BMC. */
  readonly reset: (bmc: Bmc, resource: string, type: string) => void
  /** Whom clients can trust for all BMCs (PEM); nobody unless given. */
  readonly authority?: () => Promise<string | undefined>
  readonly failed: (error: unknown) => void
}

/** What a request is refused with. */
class Refusal extends Error {
  readonly status: number
  readonly mistakes: readonly string[]

  constructor(status: number, text: string, mistakes: readonly string[] = []) {
    super(text)
    this.status = status
    this.mistakes = mistakes
  }
}

/** The service by which the one who runs the fleet sees and changes it: for this machine only, and nothing of Redfish. */
export function createControl(options: ControlOptions): FastifyInstance {
  const { fleet, urlsOf, reset } = options
  const app = fastify({
    routerOptions: { ignoreTrailingSlash: true },
    // What no hook and no handler sees: a path that cannot be decoded.
    frameworkErrors: (error, _request, reply: FastifyReply) =>
      void reply.code(400).send({ error: error.message }),
  })
  // Which a page of a browser could send without asking.
  app.removeContentTypeParser('text/plain')
  const shown = (member: Member) => show(member, urlsOf(member))
  app.addHook('onRequest', (request, _reply, done) => {
    refuseStrangers(request)
    done()
  })
  app.setErrorHandler((error, _request, reply) => {
    const { status, mistakes } = refusalOf(error, options.failed)
    const text = status === 500 ? 'a bug: the log says more' : messageOf(error)
    return reply.code(status).send({ error: text, ...(mistakes.length > 0 && { mistakes }) })
  })
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `${request.method} ${request.url}: there is nothing` }),
  )

  app.get('/ca.pem', async (_request, reply) => reply.type('text/plain').send(await authorityOf(options)))
  app.get('/bmcs', ({ query }) => {
    const { skip = '0', top = String(DEFAULT_TOP), group, state } = judged(judgePage, query)
    const [first, count] = [Number(skip), Math.min(Number(top), MAX_TOP)]
    const all = [...fleet.members()].filter(
      (one) =>
        (group === undefined || one.group === group) && (state === undefined || stateOf(one.bmc) === state),
    )
    const page = all.slice(first, first + count)
    const after = new URLSearchParams({
      skip: String(first + count),
      top: String(count),
      ...(group !== undefined && { group }),
      ...(state !== undefined && { state }),
    })
    const isMore = count > 0 && first + count < all.length
    return { total: all.length, bmcs: page.map(shown), ...(isMore && { next: `/bmcs?${after.toString()}` }) }
  })
  app.get<{ Params: { id: string } }>('/bmcs/:id', ({ params }) => shown(find(fleet, params.id)))
  app.post('/bmcs', async ({ body }, reply) => {
    const { group, count } = judged(judgeAddition, body)
    const added = await fleet.add(group, count).catch(refuseTaken)
    if (!added.ok) {
      throw new Refusal(added.problem.kind === 'unknown-group' ? 404 : 409, whyNotAdded(added.problem))
    }
    return reply.code(201).send({ bmcs: added.value.map(shown) })
  })
  app.delete<{ Params: { id: string } }>('/bmcs/:id', async ({ params }, reply) => {
    await fleet.remove(find(fleet, params.id).bmc.id)
    return reply.code(204).send()
  })
  app.post<{ Params: { id: string } }>('/bmcs/:id/reset', ({ params, body }, reply) => {
    const { bmc } = find(fleet, params.id)
    const { resource, type } = resetOf(bmc, judged(judgeReset, body))
    reset(bmc, resource, type)
    return reply.code(202).send({ id: bmc.id, resource, type })
  })
  return app
}

/** A page in a browser may be from anywhere: it says where it is from, and is refused. */
function refuseStrangers({ headers }: FastifyRequest): void {
  if (!LOOPBACK_HOST.test(headers.host ?? ''))
    throw new Refusal(403, 'Host: expected an address of this machine')
  if (headers.origin !== undefined) throw new Refusal(403, 'Origin: no page of a browser may do this')
}

/** Somebody else listens where a BMC would: none was added. */
function refuseTaken(error: unknown): never {
  if (error instanceof Error && 'syscall' in error && error.syscall === 'listen')
    throw new Refusal(409, error.message)
  throw error
}

async function authorityOf({ authority }: ControlOptions): Promise<string> {
  const pem = await authority?.()
  if (pem === undefined) throw new Refusal(404, 'no authority certifies these BMCs')
  return pem
}

function show({ bmc, slot, group }: Member, urls: readonly Urls[]) {
  return {
    id: bmc.id,
    group,
    slot,
    machine: bmc.machine.name,
    urls: urls.flatMap(({ url, httpsUrl }) => [url, httpsUrl].filter((one) => one !== undefined)),
    state: stateOf(bmc),
    operations: bmc.state.operations.size,
    tasks: wholes(bmc.state.tasks).filter(({ state }) => !isFinal(state)).length,
  }
}

function stateOf({ state }: Bmc): 'up' | 'in-reset' {
  return state.outage === undefined ? 'up' : 'in-reset'
}

function find(fleet: Fleet, id: string): Member {
  const member = fleet.find(id)
  if (member === undefined) throw new Refusal(404, `there is no BMC called ${id}`)
  return member
}

/** The manager that serves Redfish and the first reset that it offers, where the request says nothing else. */
function resetOf(
  { machine }: Bmc,
  wish: Static<typeof Reset>,
): { readonly resource: string; readonly type: string } {
  const { resource = machine.manager } = wish
  const action = resetActionOf(resource)
  const body = machine.resources.get(resource)
  if (resource !== machine.manager && !machine.systems.has(resource))
    throw wrong([`/resource: expected one of ${[machine.manager, ...machine.systems.keys()].join(', ')}`])
  const allowed = allowedTypes(body, action)
  const { type = allowed[0] ?? 'ForceRestart' } = wish
  if (!allowed.includes(type)) throw wrong([`/type: expected one of ${allowed.join(', ')}`])
  return { resource, type }
}

function judged<T>(
  judgement: (data: unknown) => { ok: true; value: T } | { ok: false; problem: readonly Mistake[] },
  data: unknown,
): T {
  const result = judgement(data ?? {})
  if (result.ok) return result.value
  throw wrong(
    result.problem.map(({ pointer, kind, expected }) => `${pointer}: ${kind}, expected ${expected}`),
  )
}

function wrong(mistakes: readonly string[]): Refusal {
  return new Refusal(400, 'the request is wrong', mistakes)
}

/** What Fastify finds wrong with a request (its body is no JSON, too large) is told as it is. */
function refusalOf(error: unknown, failed: (error: unknown) => void): Pick<Refusal, 'status' | 'mistakes'> {
  if (error instanceof Refusal) return error
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  if (status >= 500) failed(error)
  return { status, mistakes: [] }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
