import type { Bmc } from '../../bmc/bmc.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { referencePath } from '../../redfish/uris.ts'
import { targetResolver } from '../../update/targets.ts'
import { allowableTargets } from './capabilities.ts'

/** More of them in one request are refused. */
export const MAX_TARGETS = 5_000

/** What references that name what to update mean on this BMC; the machine's rules hold for them, too. */
export function resolveTargets(
  bmc: Bmc,
  property: string,
  references: readonly (string | null)[] | null = null,
) {
  const { maxTargets, allowedTargets } = bmc.machine.updateRules
  const named = references ?? []
  const { components, mistakes } = resolveReferences(bmc, property, named)
  if (named.length > maxTargets)
    mistakes.push(about(message('Base.ArraySizeTooLong', property, maxTargets), `/${property}`))
  const allowed = new Set(allowableTargets(bmc))
  const resolve = targetResolver(bmc)
  for (const [index, reference] of named.entries()) {
    if (allowedTargets === undefined || reference === null || allowed.has(referencePath(reference))) continue
    // What is unknown, or cannot be updated at all, has been told.
    if (resolve(reference).kind === 'components')
      mistakes.push(
        about(message('Base.PropertyValueNotInList', reference, property), `/${property}/${index}`),
      )
  }
  return { components, mistakes }
}

/** What the references in a property (`Targets` and its like) mean on this BMC; every mistake among them is told. */
export function resolveReferences(
  bmc: Bmc,
  property: string,
  references: readonly (string | null)[] | null = null,
) {
  const components = new Set<string>()
  const mistakes: Message[] = []
  const resolve = targetResolver(bmc)
  for (const [index, reference] of (references ?? []).entries()) {
    if (reference === null) continue
    const target = resolve(reference)
    const pointer = `/${property}/${index}`
    switch (target.kind) {
      case 'components':
        for (const { id } of target.components) components.add(id)
        break
      case 'unknown':
        mistakes.push(about(message('Base.ResourceMissingAtURI', target.path), pointer))
        break
      case 'not-updateable':
        mistakes.push(
          about(message('Base.PropertyValueResourceConflict', property, reference, target.path), pointer),
        )
        break
    }
  }
  return { components, mistakes }
}
