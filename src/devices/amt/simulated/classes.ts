import { timestamp } from '../../../lib/clock.ts'
import { BOOT_CONFIGURATION, optInPolicies } from '../wsman.ts'
import type { Alarm } from './alarm-clock.ts'
import { CODE_TIMEOUT_S, CONSENT_TIMEOUT_S } from './consent.ts'
import { softwareIdentities } from './firmware.ts'
import type { Instance } from './instance.ts'
import type { AmtMachine } from './machine.ts'

/** What a class tells of a machine now; where several are asked for together, what each really is. */
export type Instances = (machine: AmtMachine) => readonly Instance[]

const SYSTEM = {
  reference: 'CIM_ComputerSystem',
  keys: { CreationClassName: 'CIM_ComputerSystem', Name: 'ManagedSystem' },
}
const CHASSIS = { reference: 'CIM_Chassis', keys: { CreationClassName: 'CIM_Chassis', Tag: 'CIM_Chassis' } }
const POWER_SERVICE = 'Intel(r) AMT Power Management Service'

/** What all services of a machine say of themselves. */
function service(className: string, name: string): Instance {
  return {
    CreationClassName: className,
    ElementName: name,
    Name: name,
    SystemCreationClassName: 'CIM_ComputerSystem',
    SystemName: 'Intel(r) AMT',
  }
}

function piece(className: string, name: string, { options: { identity } }: AmtMachine): Instance {
  return {
    CreationClassName: className,
    ElementName: name,
    Manufacturer: identity.manufacturer,
    Model: identity.model,
    OperationalStatus: 0,
    SerialNumber: identity.serialNumber,
    Tag: className,
  }
}

const associatedPower: Instances = ({ available, power }) => [
  {
    AvailableRequestedPowerStates: available,
    PowerState: power,
    ServiceProvided: {
      reference: 'CIM_PowerManagementService',
      keys: { CreationClassName: 'CIM_PowerManagementService', Name: POWER_SERVICE },
    },
    UserOfService: SYSTEM,
  },
]

/** What can be read of a machine, class by class. */
export const classes: ReadonlyMap<string, Instances> = new Map<string, Instances>([
  [
    'CIM_SoftwareIdentity',
    ({ versions }) =>
      [...softwareIdentities(versions)].map(([InstanceID, VersionString]) => ({
        InstanceID,
        IsEntity: true,
        VersionString,
      })),
  ],
  ['CIM_BIOSElement', biosElement],
  [
    'CIM_ComputerSystemPackage',
    ({ options }) => [
      { Antecedent: CHASSIS, Dependent: SYSTEM, PlatformGUID: platformGuid(options.identity.uuid) },
    ],
  ],
  [
    'CIM_Chassis',
    (machine) => [
      { ...piece('CIM_Chassis', 'Managed System Chassis', machine), ChassisPackageType: 0, PackageType: 3 },
    ],
  ],
  [
    'CIM_Card',
    (machine) => [
      { ...piece('CIM_Card', 'Managed System Base Board', machine), CanBeFRUed: true, PackageType: 9 },
    ],
  ],
  ['CIM_AssociatedPowerManagementService', associatedPower],
  [
    'CIM_PowerManagementService',
    () => [{ ...service('CIM_PowerManagementService', POWER_SERVICE), EnabledState: 5, RequestedState: 12 }],
  ],
  [
    'CIM_BootConfigSetting',
    () => [{ ElementName: 'Intel(r) AMT: Boot Configuration', InstanceID: BOOT_CONFIGURATION }],
  ],
  [
    'CIM_BootSourceSetting',
    ({ boot }) =>
      [...boot.sources].map(([InstanceID, StructuredBootString]) => ({
        ElementName: 'Intel(r) AMT: Boot Source',
        FailThroughSupported: 2,
        InstanceID,
        StructuredBootString,
      })),
  ],
  [
    'CIM_BootService',
    ({ boot }) => [
      {
        ...service('CIM_BootService', 'Intel(r) AMT Boot Service'),
        EnabledState: boot.serviceState,
        RequestedState: 12,
      },
    ],
  ],
  [
    'AMT_BootCapabilities',
    ({ boot }) => [
      {
        BIOSReflash: false,
        BIOSSecureBoot: true,
        ElementName: 'Intel(r) AMT: Boot Capabilities',
        ForceHardDriveBoot: true,
        ForcePXEBoot: true,
        ForceUEFIHTTPSBoot: boot.canBootByHttps,
        InstanceID: 'Intel(r) AMT:BootCapabilities 0',
      },
    ],
  ],
  ['AMT_BootSettingData', bootSettingData],
  [
    'IPS_OptInService',
    ({ consent: { policy, state } }) => [
      {
        ...service('IPS_OptInService', 'Intel(r) AMT OptIn Service'),
        CanModifyOptInPolicy: 0,
        OptInCodeTimeout: CODE_TIMEOUT_S,
        OptInDisplayTimeout: CONSENT_TIMEOUT_S,
        OptInRequired: optInPolicies[policy],
        OptInState: state,
      },
    ],
  ],
  ['AMT_AlarmClockService', () => [service('AMT_AlarmClockService', 'Intel(r) AMT Alarm Clock Service')]],
  ['IPS_AlarmClockOccurrence', ({ alarmClock: { alarms } }) => alarms.map(alarmOccurrence)],
  [
    'AMT_AuditLog',
    ({ auditLog: { count, capacity } }) => [
      {
        AuditState: 16,
        CurrentNumberOfRecords: count,
        ElementName: 'Intel(r) AMT Audit Log',
        EnabledState: 2,
        MaxNumberOfRecords: capacity,
        Name: 'Intel(r) AMT:Audit Log',
        OverwritePolicy: 2,
        PercentageFree: Math.floor(100 * (1 - count / capacity)),
        RequestedState: 2,
        StoragePolicy: 1,
      },
    ],
  ],
])

/** A class of which only what extends it has instances: that is what is told. */
export const extendedBy: ReadonlyMap<string, string> = new Map([
  ['CIM_ServiceAvailableToElement', 'CIM_AssociatedPowerManagementService'],
])

function biosElement({ options: { identity }, versions }: AmtMachine): readonly Instance[] {
  return [
    {
      ElementName: 'Primary BIOS',
      Manufacturer: identity.manufacturer,
      Name: 'Primary BIOS',
      OperationalStatus: 0,
      PrimaryBIOS: true,
      ReleaseDate: { kind: 'Datetime', text: timestamp(versions.biosReleased) },
      SoftwareElementID: versions.bios,
      SoftwareElementState: 2,
      TargetOperatingSystem: 66,
      Version: versions.bios,
    },
  ]
}

function bootSettingData({ boot, biosStatus }: AmtMachine): readonly Instance[] {
  return [
    {
      ...boot.settings,
      BIOSLastStatus: biosStatus,
      BootguardStatus: 127,
      ElementName: 'Intel(r) AMT Boot Configuration Settings',
      InstanceID: 'Intel(r) AMT:BootSettingData 0',
      OptionsCleared: boot.isCleared,
      OwningEntity: 'Intel(r) AMT',
      RPEEnabled: false,
      RSEPassword: '',
      SecureBootControlEnabled: true,
      UEFIHTTPSBootEnabled: boot.isHttpsEnabled,
      UEFILocalPBABootEnabled: false,
      WinREBootEnabled: false,
    },
  ]
}

function alarmOccurrence(alarm: Alarm): Instance {
  const { instanceId, elementName, startTime, intervalMinutes: minutes, deleteOnCompletion } = alarm
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24]
  return {
    DeleteOnCompletion: deleteOnCompletion,
    ElementName: elementName,
    InstanceID: instanceId,
    Interval: { kind: 'Interval', text: `P${days}DT${hours}H${minutes % 60}M` },
    StartTime: { kind: 'Datetime', text: timestamp(startTime) },
  }
}

/** As SMBIOS has it: the first three fields with their lowest byte first. */
function platformGuid(uuid: string): string {
  const [a = '', b = '', c = '', ...rest] = uuid.toUpperCase().split('-')
  return [a, b, c].map((field) => field.match(/../g)?.toReversed().join('')).join('') + rest.join('')
}
