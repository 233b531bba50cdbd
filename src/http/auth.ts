import type { FastifyRequest } from 'fastify'
import type { Bmc } from '../bmc/bmc.ts'
import type { PasswordChecker } from '../bmc/accounts.ts'
import type { Sessions } from '../bmc/sessions.ts'
import type { Account } from '../bmc/state.ts'
import { RedfishError } from '../redfish/errors.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { allows, type Principal, type Requirement } from '../redfish/resource-table.ts'

const CHALLENGE = { 'WWW-Authenticate': 'Basic realm="redflash", charset="UTF-8"' }

/** Who sends a request: the owner of the session of X-Auth-Token, or the account of the Basic credentials. */
export class Authenticator {
  readonly #sessions: Sessions
  readonly #passwords: PasswordChecker

  constructor(sessions: Sessions, passwords: PasswordChecker) {
    this.#sessions = sessions
    this.#passwords = passwords
  }

  /** `undefined` where nobody is named, or the proof is wrong. Only Basic has to wait. */
  identify(bmc: Bmc, { headers }: FastifyRequest): Principal | undefined | Promise<Principal | undefined> {
    const token = headers['x-auth-token']
    if (typeof token === 'string') {
      const session = this.#sessions.use(bmc, token)
      return session && bmc.accounts.get(session.username)
    }
    const basic = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? '')?.[1]
    return basic === undefined ? undefined : this.#byPassword(bmc, basic)
  }

  #byPassword(bmc: Bmc, basic: string): Promise<Account | undefined> {
    const credentials = Buffer.from(basic, 'base64').toString('utf8')
    const colon = credentials.indexOf(':')
    if (colon === -1) return Promise.resolve(undefined)
    return this.#passwords.check(bmc.accounts, credentials.slice(0, colon), credentials.slice(colon + 1))
  }
}

/** The one place where privileges are checked: 401 for nobody, 403 for somebody who lacks them. */
export function authorize(
  requirement: Requirement,
  principal: Principal | undefined,
  hadToken: boolean,
): void {
  if (allows(requirement, principal)) return
  if (principal !== undefined) throw new RedfishError(403, message('Base.InsufficientPrivilege'))
  throw unauthenticated(message(hadToken ? 'Base.NoValidSession' : 'Base.AccessUnauthorized'))
}

/** 401, with the challenge that RFC 9110 §11.6.1 asks for. */
export function unauthenticated(reason: Message): RedfishError {
  return new RedfishError(401, reason, CHALLENGE)
}
