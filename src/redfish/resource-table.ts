import type { TSchema } from 'typebox'
import type { JsonObject, Resource } from './resource.ts'
import type { ResourceTypeName } from './types.gen.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'

/** The standard privileges (DSP0266, privilege model). */
export type Privilege =
  | 'Login'
  | 'ConfigureManager'
  | 'ConfigureUsers'
  | 'ConfigureSelf'
  | 'ConfigureComponents'

/** Sets of privileges, any one of which suffices; an empty set asks for no authentication. */
export type Requirement = readonly (readonly Privilege[])[]

/** Who may use which method; HEAD is GET, and a method that is not named needs what GET needs. */
export type Privileges = { readonly GET: Requirement } & {
  readonly [M in Exclude<Method, 'HEAD'>]?: Requirement
}

export type Params = Readonly<Record<string, string>>

/** Somebody who proved who they are. */
export interface Principal {
  readonly username: string
  readonly privileges: ReadonlySet<Privilege>
}

/** One authenticated request, free of HTTP. */
export interface Call<B> {
  readonly bmc: B
  readonly params: Params
  readonly body: unknown
  readonly principal: Principal | undefined
  readonly origin: string
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
  readonly run: (call: Call<B>) => Answer | Promise<Answer>
}

/** Writable members: `schema` judges the whole body, `apply` makes the change. */
export interface Patch<B> {
  readonly schema: TSchema
  readonly apply: (call: Call<B>) => void | Promise<void>
}

/** One kind of resource: from such rows come the routes, the methods, the privileges and the metadata. */
export interface ResourceRow<B> {
  readonly path: string
  /** `mockup` where the machine's own data says the type. */
  readonly type: ResourceTypeName | 'mockup'
  readonly privileges: Privileges
  /** Pure: the state of one BMC in, the representation out; `undefined` is 404. */
  readonly view: (bmc: B, params: Params) => Resource | undefined
  readonly post?: (call: Call<B>) => Answer | Promise<Answer>
  readonly patch?: Patch<B>
  readonly delete?: (call: Call<B>) => Answer | Promise<Answer>
  readonly actions?: Readonly<Record<string, Action<B>>>
}

/** The privileges of most resources: anyone logged in reads, the named ones write. */
export function writableBy(...privileges: readonly Privilege[]): Privileges {
  const write = privileges.map((privilege) => [privilege])
  return { GET: [['Login']], POST: write, PATCH: write, DELETE: write }
}

export const readable: Privileges = { GET: [['Login']] }
/** The service root and the documents beside it: no authentication. */
export const open: Privileges = { GET: [] }

/** Whether a requirement is met; an absent principal meets only an empty one. */
export function allows(requirement: Requirement, principal: Principal | undefined): boolean {
  if (requirement.length === 0) return true
  if (principal === undefined) return false
  return requirement.some((set) => set.every((privilege) => principal.privileges.has(privilege)))
}
