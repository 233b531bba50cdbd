import { type Bmc, type Component, listComponents, type Row } from '../../bmc/bmc.ts'
import { resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

/** What may stand in Targets: every item of the firmware inventory that can be updated, or what the machine's rules leave of them. */
export function allowableTargets(bmc: Bmc): string[] {
  return targetable(bmc).map(({ uri }) => uri)
}

function targetable(bmc: Bmc): Component[] {
  const { allowedTargets } = bmc.machine.updateRules
  return listComponents(bmc).filter(
    ({ id, updateable }) => updateable && (allowedTargets === undefined || allowedTargets.includes(id)),
  )
}

/** UpdateServiceCapabilities v1_0: what updates may name, and what can be staged. */
export const capabilitiesRow: Row = {
  path: uris.updateServiceCapabilities,
  type: 'UpdateServiceCapabilities',
  view: (bmc) => ({
    ...resource('UpdateServiceCapabilities', uris.updateServiceCapabilities, 'Update service capabilities'),
    AllowableTargets: allowableTargets(bmc),
    AllowableStaging: targetable(bmc)
      .filter(({ behaviour }) => behaviour.spare !== undefined)
      .map(({ uri }) => uri),
  }),
}
