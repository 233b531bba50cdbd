import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { findAccount } from '../bmc/accounts.ts'
import { commit } from '../bmc/commit.ts'
import { audited } from '../bmc/log.ts'
import type { Clock } from '../lib/clock.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import type { Requirement } from '../redfish/resource-table.ts'
import { lastSegment, referencePath, uris } from '../redfish/uris.ts'
import { actorOf, contextOf, pathOf } from './context.ts'

/** AccountSecurity: the interface over which somebody tried. */
const INTERFACE = 'Redfish'
const MAX_DESCRIPTION = 250

/** What a request came to, as the audit log tells it. */
interface Record {
  readonly said: Message
  readonly origin: string
  readonly username: string | undefined
}

/** Writes down what clients did and what they were refused: before the answer leaves, so that they can read it then. */
export function installAudit(app: FastifyInstance, clock: Clock): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    const record = isWorthIt(request, reply) ? recordOf(request, reply) : undefined
    if (record !== undefined) {
      const { bmc } = contextOf(request)
      const actor = { ...actorOf(request), username: record.username }
      const description = `${request.method} ${pathOf(request)}`.slice(0, MAX_DESCRIPTION)
      commit(bmc, audited(bmc, clock.now(), { origin: record.origin, actor, description }, [record.said]))
    }
    done(null, payload)
  })
}

function isWorthIt({ method, redflash }: FastifyRequest, { statusCode }: FastifyReply): boolean {
  if (redflash === undefined) return false
  return statusCode === 401 || statusCode === 403 || !['GET', 'HEAD', 'OPTIONS'].includes(method)
}

function recordOf(request: FastifyRequest, reply: FastifyReply): Record | undefined {
  switch (reply.statusCode) {
    case 401:
      return failedLogin(request)
    case 403:
      return refusal(request)
    case 200:
    case 201:
    case 204:
      return change(request, reply)
    default:
      return undefined
  }
}

/** Wrong credentials; a session that is over, or none at all, is no attempt. */
function failedLogin(request: FastifyRequest): Record | undefined {
  const { bmc } = contextOf(request)
  const isLogin = request.method === 'POST' && isSessions(request)
  const name = isLogin ? nameInBody(request.body) : nameInHeader(request.headers.authorization)
  if (name === undefined || (!isLogin && request.headers['x-auth-token'] !== undefined)) return undefined
  return {
    said: message('AccountSecurity.InvalidCredentials', request.ip, INTERFACE),
    origin: uris.sessionService,
    // What is no name of ours may be a password, typed in the wrong field.
    username: findAccount(bmc.state.accounts, name)?.username,
  }
}

function refusal(request: FastifyRequest): Record {
  const { principal, needed = [] } = contextOf(request)
  const has = [...(principal?.privileges ?? [])].join(', ')
  return {
    said: message('AccountSecurity.InsufficientPrivilege', request.ip, INTERFACE, has, wording(needed)),
    origin: uris.sessionService,
    username: principal?.username,
  }
}

function change(request: FastifyRequest, reply: FastifyReply): Record | undefined {
  const path = pathOf(request)
  if (tellsItself(path)) return undefined
  const { bmc, principal } = contextOf(request)
  const username = principal?.username
  const created = reply.getHeader('location')
  if (reply.statusCode === 201 && typeof created === 'string') {
    const origin = referencePath(created)
    if (!isSessions(request)) return { said: message('ResourceEvent.ResourceCreated'), origin, username }
    const name = bmc.state.sessions.get(lastSegment(origin))?.username ?? ''
    return {
      said: message('AccountSecurity.SuccessfulLogin', name, request.ip, INTERFACE),
      origin,
      username: name,
    }
  }
  const [resource = '', action] = path.split('/Actions/')
  if (action === 'LogService.ClearLog') {
    return { said: message('LogService.LogCleared', resource), origin: resource, username }
  }
  if (action !== undefined) return { said: message('Base.Success'), origin: resource, username }
  if (request.method !== 'DELETE')
    return { said: message('ResourceEvent.ResourceChanged'), origin: path, username }
  const collection = path.slice(0, path.lastIndexOf('/'))
  return { said: message('ResourceEvent.ResourceRemoved'), origin: collection, username }
}

/** Accounts and roles say in the words of AccountSecurity what became of them. */
function tellsItself(path: string): boolean {
  return [uris.accounts, uris.roles].some((uri) => path === uri || path.startsWith(`${uri}/`))
}

function isSessions(request: FastifyRequest): boolean {
  return [uris.sessions, `${uris.sessions}/Members`].includes(pathOf(request))
}

function nameInHeader(header = ''): string | undefined {
  const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header)?.[1]
  return basic === undefined ? undefined : Buffer.from(basic, 'base64').toString('utf8').split(':', 1)[0]
}

function nameInBody(body: unknown): string | undefined {
  const isNamed = typeof body === 'object' && body !== null && 'UserName' in body
  return isNamed ? String(body.UserName) : undefined
}

/** `Login`, or `ConfigureSelf or ConfigureUsers`. */
function wording(needed: Requirement): string {
  return needed.map((set) => set.join(' and ')).join(' or ')
}
