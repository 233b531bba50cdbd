import type { FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { Logins } from '../bmc/logins.ts'
import { principalOf } from '../bmc/roles.ts'
import type { Sessions } from '../bmc/sessions.ts'
import type { Actor } from '../bmc/actor.ts'
import { RedfishError } from '../redfish/errors.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { allows, type Principal, type Requirement } from '../redfish/resource-table.ts'
import { contextOf, pathOf } from './context.ts'

const CHALLENGE = { 'WWW-Authenticate': 'Basic realm="redflash", charset="UTF-8"' }

/** Who sends a request: the owner of the session of X-Auth-Token, or the account of the Basic credentials. */
export class Authenticator {
  readonly #sessions: Sessions
  readonly #logins: Logins

  constructor(sessions: Sessions, logins: Logins) {
    this.#sessions = sessions
    this.#logins = logins
  }

  /** `undefined` where nobody is named, or the proof is wrong. Only Basic has to wait. */
  identify(bmc: Bmc, request: FastifyRequest): Principal | undefined | Promise<Principal | undefined> {
    const { maker } = contextOf(request)
    if (maker !== undefined) return this.#asMaker(bmc, maker)
    const { headers } = request
    const token = headers['x-auth-token']
    if (typeof token === 'string') {
      const session = this.#sessions.use(bmc, token)
      const account = session && this.#logins.stillOpen(bmc, session.username)
      return account && principalOf(bmc.state, account)
    }
    if (bmc.state.settings.httpBasicAuth === 'Disabled') return undefined
    const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '')?.[1]
    return basic === undefined ? undefined : this.#byPassword(bmc, basic, request.ip)
  }

  /** Who asked for a request earlier may send it now with the privileges of now. */
  #asMaker(bmc: Bmc, { username = '' }: Actor): Principal | undefined {
    const account = this.#logins.openAccount(bmc, username)
    return account && principalOf(bmc.state, account)
  }

  async #byPassword(bmc: Bmc, basic: string, address: string): Promise<Principal | undefined> {
    const credentials = Buffer.from(basic, 'base64').toString('utf8')
    const colon = credentials.indexOf(':')
    if (colon === -1) return undefined
    const account = await this.#logins.checkFrom(bmc, address, {
      username: credentials.slice(0, colon),
      password: credentials.slice(colon + 1),
    })
    return account && principalOf(bmc.state, account)
  }
}

/** The one place where privileges are checked: 401 for nobody, 403 for somebody who lacks them. */
export function authorize(
  request: FastifyRequest,
  needed: Requirement,
  principal: Principal | undefined,
  isOwn: boolean,
): void {
  if (needed.length > 0 && principal?.mustChangePassword === true) requireNewPassword(request, principal)
  if (allows(needed, principal, isOwn)) return
  if (principal !== undefined) throw new RedfishError(403, message('Base.InsufficientPrivilege'))
  const hadToken = request.headers['x-auth-token'] !== undefined
  const reason = message(hadToken ? 'Base.NoValidSession' : 'Base.AccessUnauthorized')
  throw unauthenticated(contextOf(request).bmc, reason)
}

/** Until its password is changed, an account may only be looked at and given a new one (DSP0266). */
function requireNewPassword(request: FastifyRequest, { account }: Principal): void {
  const isAllowed = ['GET', 'HEAD', 'PATCH'].includes(request.method) && pathOf(request) === account
  if (!isAllowed) throw new RedfishError(403, message('Base.PasswordChangeRequired', account))
}

/** 401, with the challenge that RFC 9110 §11.6.1 asks for, unless Basic is not to be advertised. */
export function unauthenticated({ state }: Bmc, reason: Message): RedfishError {
  const isAdvertised = state.settings.httpBasicAuth === 'Enabled'
  return new RedfishError(401, reason, isAdvertised ? CHALLENGE : {})
}
