import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'

/** The most members of each collection of keys or certificates. */
const MAX_MEMBERS = 32

/** The Id of a collection's new member. Throws a RedfishError (503) where the collection is full. */
export function newMemberId(members: ReadonlyMap<string, unknown>): string {
  if (members.size >= MAX_MEMBERS) throw new RedfishError(503, message('Base.CreateLimitReachedForResource'))
  return String(Math.max(0, ...[...members.keys()].map(Number)) + 1)
}
