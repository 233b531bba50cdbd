import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { audited } from '../../bmc/log.ts'
import { hasOtherAdministrator, standardPrivileges } from '../../bmc/roles.ts'
import type { Role } from '../../bmc/state.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { collection, type Resource, resource } from '../../redfish/resource.ts'
import type { Answer, Call, Privilege } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { requireService } from './body.ts'

const MAX_ROLES = 32
const closed = { additionalProperties: false }
const AssignedPrivileges = Type.Array(Type.Unsafe<Privilege>({ type: 'string', enum: standardPrivileges }), {
  uniqueItems: true,
})
const OemPrivileges = Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
  uniqueItems: true,
  maxItems: 32,
})

const NewRole = Type.Object(
  {
    // It becomes a segment of a URI: no `.` or `..`, and `Members` is the collection's own.
    RoleId: Type.String({ pattern: '^(?!Members$)\\w[\\w.-]{0,63}$' }),
    AssignedPrivileges,
    OemPrivileges: Type.Optional(OemPrivileges),
  },
  closed,
)

const RolePatch = Type.Object(
  { AssignedPrivileges: Type.Optional(AssignedPrivileges), OemPrivileges: Type.Optional(OemPrivileges) },
  closed,
)

/** The predefined roles, which nobody changes, and those that clients make. */
export function roleRows(clock: Clock): Row[] {
  return [
    {
      path: uris.roles,
      type: 'RoleCollection',
      view: ({ state }) =>
        collection('RoleCollection', uris.roles, 'Roles', [...state.roles.keys()].map(uris.role)),
      post: (call) => createRole(clock, call),
    },
    {
      path: uris.role(':id'),
      type: 'Role',
      view: ({ state }, { id = '' }) => {
        const role = state.roles.get(id)
        return role && roleView(role)
      },
      patch: { schema: RolePatch, apply: (call) => patchRole(clock, call) },
      delete: (call) => removeRole(clock, call),
    },
  ]
}

function createRole(clock: Clock, { bmc, body, actor }: Call<Bmc>): Answer {
  requireService(bmc)
  const {
    RoleId: id,
    AssignedPrivileges: privileges,
    OemPrivileges: oemPrivileges = [],
  } = bodyAs(NewRole, body)
  if (bmc.state.roles.has(id)) {
    throw new RedfishError(400, about(message('Base.ResourceAlreadyExists', 'Role', 'RoleId', id), '/RoleId'))
  }
  if (bmc.state.roles.size >= MAX_ROLES)
    throw new RedfishError(503, message('Base.CreateLimitReachedForResource'))
  const role: Role = { id, privileges, oemPrivileges, isPredefined: false }
  const created = audited(bmc, clock.now(), { origin: uris.role(id), actor }, [
    message('ResourceEvent.ResourceCreated'),
  ])
  commit(bmc, { roles: [[id, role]], ...created })
  return { status: 201, headers: { Location: uris.role(id) }, body: roleView(role) }
}

function patchRole(clock: Clock, { bmc, body, params: { id = '' }, actor }: Call<Bmc>): void {
  requireService(bmc)
  const role = roleOf(bmc, id)
  const asked = body as Static<typeof RolePatch>
  if (role.isPredefined) {
    const names = Object.keys(asked)
    throw new RedfishError(
      400,
      names.map((name) => about(message('Base.PropertyNotWritable', name), `/${name}`)),
    )
  }
  const {
    AssignedPrivileges: privileges = role.privileges,
    OemPrivileges: oemPrivileges = role.oemPrivileges,
  } = asked
  const changed = { ...role, privileges, oemPrivileges }
  const { accounts } = bmc.state
  const roles = new Map(bmc.state.roles).set(id, changed)
  if (hasOtherAdministrator(bmc.state) && !hasOtherAdministrator({ accounts, roles })) {
    throw new RedfishError(
      400,
      about(message('Base.PropertyValueConflict', 'AssignedPrivileges', 'Accounts'), '/AssignedPrivileges'),
    )
  }
  const news = [
    ...privileges
      .filter((one) => !role.privileges.includes(one))
      .map((one) => message('AccountSecurity.RolePrivilegeAdded', one, id)),
    ...role.privileges
      .filter((one) => !privileges.includes(one))
      .map((one) => message('AccountSecurity.RolePrivilegeRemoved', one, id)),
  ]
  if (news.length === 0) news.push(message('ResourceEvent.ResourceChanged'))
  commit(bmc, {
    roles: [[id, changed]],
    ...audited(bmc, clock.now(), { origin: uris.role(id), actor }, news),
  })
}

function removeRole(clock: Clock, { bmc, params: { id = '' }, actor }: Call<Bmc>): Answer {
  requireService(bmc)
  const { isPredefined } = roleOf(bmc, id)
  const isUsed = [...bmc.state.accounts.values()].some(({ roleId }) => roleId === id)
  if (isPredefined || isUsed) throw new RedfishError(409, message('Base.ResourceCannotBeDeleted'))
  const removed = audited(bmc, clock.now(), { origin: uris.roles, actor }, [
    message('ResourceEvent.ResourceRemoved'),
  ])
  commit(bmc, { roles: [[id, undefined]], ...removed })
  return { status: 204 }
}

function roleOf({ state }: Bmc, id: string): Role {
  const role = state.roles.get(id)
  if (role === undefined) throw new Error(`role ${id} was there a moment ago`)
  return role
}

function roleView({ id, privileges, oemPrivileges, isPredefined }: Role): Resource {
  return {
    ...resource('Role', uris.role(id), `Role ${id}`),
    RoleId: id,
    IsPredefined: isPredefined,
    AssignedPrivileges: privileges,
    OemPrivileges: oemPrivileges,
  }
}
