import { isObject, type JsonObject } from '../redfish/resource.ts'
import { type Bmc, machineMember } from './bmc.ts'

/** Where a system boots from other than by its boot order (ComputerSystem, Boot); `undefined`: nowhere else. */
export function bootOverride(bmc: Bmc, system: string): string | undefined {
  const boot = machineMember(bmc, system, 'Boot')
  if (!isObject(boot)) return undefined
  const { BootSourceOverrideEnabled: enabled, BootSourceOverrideTarget: target } = boot
  const isOn = enabled === 'Once' || enabled === 'Continuous'
  return isOn && typeof target === 'string' && target !== 'None' ? target : undefined
}

/** The members of a system that a boot changes: an override for one boot is used up by it, another stays. */
export function afterBoot(bmc: Bmc, system: string): JsonObject {
  const boot = machineMember(bmc, system, 'Boot')
  if (!isObject(boot) || boot['BootSourceOverrideEnabled'] !== 'Once') return {}
  const isTargeted = 'BootSourceOverrideTarget' in boot
  return {
    Boot: {
      ...boot,
      BootSourceOverrideEnabled: 'Disabled',
      ...(isTargeted && { BootSourceOverrideTarget: 'None' }),
    },
  }
}
