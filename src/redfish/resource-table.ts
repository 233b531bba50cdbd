import type { TSchema } from 'typebox'
import type { Message } from './messages/message.ts'
import type { Writable } from './patch.ts'
import type { JsonObject, Resource } from './resource.ts'
import type { ResourceTypeName } from './types.gen.ts'
import type { Mistake } from './validation.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/** The standard privileges (DSP0266, privilege model). */
export type Privilege =
  | 'Login'
  | 'ConfigureManager'
  | 'ConfigureUsers'
  | 'ConfigureSelf'
  | 'ConfigureComponents'

/** Sets of privileges, any one of which suffices; an empty set asks for no authentication. */
export type Requirement = readonly (readonly Privilege[])[]

/** Who may use which method, where it is not what the privilege registry says of the type; HEAD is as GET. */
export type Privileges = { readonly [M in Exclude<Method, 'HEAD'>]?: Requirement }

export type Params = Readonly<Record<string, string>>

/** Somebody who proved who they are. */
export interface Principal {
  readonly username: string
  readonly privileges: ReadonlySet<Privilege>
  /** The URI of the account. */
  readonly account: string
  /** Nothing else is allowed until the account has a new password (DSP0266, password change required). */
  readonly mustChangePassword: boolean
}

/** One authenticated request, free of HTTP. */
export interface Call<B> {
  readonly bmc: B
  readonly params: Params
  readonly body: unknown
  readonly principal: Principal | undefined
  readonly origin: string
  /** Who sent it, as the logs name them. */
  readonly actor: { readonly username: string | undefined; readonly address: string }
  /** For a change that had to wait: throws a RedfishError (412) where `If-Match` fits no longer. */
  readonly stillFits?: () => void
}

/** What a method other than GET answers. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: JsonObject
  /** Runs once the answer has left: a reset answers first and happens then. */
  readonly afterwards?: () => void
}

/** An action of a resource: POSTed to `<resource>/Actions/<name>`, its parameters judged by `parameters`. */
export interface Action<B> {
  readonly parameters: TSchema
  /** What is wrong beside what the schema found: one answer tells all of it. */
  readonly mistakes?: (call: Call<B>, found: readonly Mistake[]) => readonly Message[]
  readonly run: (call: Call<B>) => Answer | Promise<Answer>
}

/**
 * What clients may write: a schema of our own that says all of it, or members of the published schema, as far as a
 * resource has them. `apply` gets what is right of a body and changes all of it or, throwing, nothing; it is called
 * with arrays as they are to be.
 */
export type Patch<B> = {
  readonly apply: (call: Call<B>) => void | Promise<void>
} & (
  | { readonly schema: TSchema; readonly writable?: undefined }
  | { readonly schema?: undefined; readonly writable: (resource: Resource) => Writable }
)

/** One kind of resource: from such rows come the routes, the methods, the privileges and the metadata. */
export interface ResourceRow<B> {
  readonly path: string
  /** `mockup` where the machine's own data says the type. */
  readonly type: ResourceTypeName | 'mockup'
  /** Where they differ from those of the privilege registry. */
  readonly privileges?: Privileges
  /** Whose it is: ConfigureSelf counts for nobody else. */
  readonly owner?: (bmc: B, params: Params) => string | undefined
  /** Makes what the view shows of it, where that is made only when somebody looks. */
  readonly prepare?: (bmc: B, params: Params) => Promise<unknown> | undefined
  /** Brings what is known of it up to date before it is read by itself: whoever sees it in another sees what was known. */
  readonly refresh?: (bmc: B, params: Params) => Promise<unknown> | undefined
  /** Pure: the state of one BMC in, the representation out; `undefined` is 404. */
  readonly view: (bmc: B, params: Params) => Resource | undefined
  readonly post?: (call: Call<B>) => Answer | Promise<Answer>
  readonly patch?: Patch<B>
  /** PUT replaces what is writable as a whole. */
  readonly put?: Patch<B>
  /** Whether PATCH, PUT and DELETE without If-Match are refused (428). */
  readonly requiresIfMatch?: boolean
  readonly delete?: (call: Call<B>) => Answer | Promise<Answer>
  readonly actions?: Readonly<Record<string, Action<B>>>
}

/** The service root and the documents beside it: no authentication. */
export const open: Privileges = { GET: [] }

/** Whether a requirement is met; an absent principal meets only an empty one, and ConfigureSelf is for what is one's own. */
export function allows(requirement: Requirement, principal: Principal | undefined, isOwn = true): boolean {
  if (requirement.length === 0) return true
  if (principal === undefined) return false
  const has = (privilege: Privilege): boolean =>
    principal.privileges.has(privilege) && (isOwn || privilege !== 'ConfigureSelf')
  return requirement.some((set) => set.every(has))
}
