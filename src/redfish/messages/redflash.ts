/** A message of ours: its text, how many arguments that takes, how bad it is, and what to do. */
type Row = readonly [
  text: string,
  args: keyof Arguments,
  severity: 'OK' | 'Warning' | 'Critical',
  resolution: string,
]

interface Arguments {
  0: []
  1: [string]
  2: [string, string]
  3: [string, string, string]
  4: [string, string, string, string]
}

/** Reasons for which the standard registries have no words; they are told beside the standard messages. */
const rows = {
  ImageMalformed: [
    "The image '%1' cannot be used: %2.",
    2,
    'Critical',
    'Provide the image again, or one that is whole.',
  ],
  ImageDigestMismatch: [
    "The part '%2' of the image '%1' has another digest or checksum than the image says.",
    2,
    'Critical',
    'Provide the image again, or one that is whole.',
  ],
  AnnouncedDigestMismatch: [
    "The digest that '%2' announces for '%1' is not that of what arrived.",
    2,
    'Critical',
    'Send the request again with the digest of what is sent.',
  ],
  ImageNotSigned: [
    "Nobody's signature vouches for the image '%1'.",
    1,
    'Warning',
    'Provide an image that is signed by somebody whom the service trusts.',
  ],
  ImageSigned: ["The image '%1' is signed by '%2', whom the service trusts.", 2, 'OK', 'None.'],
  SignatureInvalid: [
    "A signature of the image '%1' is not valid: %2.",
    2,
    'Critical',
    'Provide an image whose signature is that of its bytes.',
  ],
  SignerNotTrusted: [
    "The image '%1' is signed by '%2', whom the service does not trust: %3.",
    3,
    'Critical',
    'Provide an image of a trusted signer, or add a trust anchor to the service.',
  ],
  ImageRevoked: [
    "The image '%1' is not to be used any more: its digest is revoked.",
    1,
    'Critical',
    'Provide a later image.',
  ],
  MachineMismatch: [
    "The image '%1' is for machines of the model '%2'.",
    2,
    'Warning',
    'Provide an image for this machine.',
  ],
  RequirementNotMet: [
    "The image '%1' cannot be installed on '%2' before '%3' is at least at version '%4'.",
    4,
    'Warning',
    'Update the component that is required first.',
  ],
  SecurityVersionTooLow: [
    "The image '%1' has security version %3, and '%2' does not go back below %4.",
    4,
    'Warning',
    'Provide an image of that security version or a later one.',
  ],
  WriteProtected: ["'%1' is write-protected.", 1, 'Warning', 'Remove the write protection.'],
  StagingNotSupported: [
    "'%1' has no place where an image could wait.",
    1,
    'Warning',
    'Update it without staging.',
  ],
  ImageTooLarge: [
    "The image '%1' has %3 bytes, and '%2' takes %4.",
    4,
    'Critical',
    'Provide an image that fits.',
  ],
  WouldUpdate: ["'%1', which is at version '%2', would be updated with the image '%3'.", 3, 'OK', 'None.'],
  WouldStage: ["The image '%2' would be staged on '%1', to be activated by a client.", 2, 'OK', 'None.'],
  WouldAwaitReset: ["The image '%1' would run on '%2' after a reset '%3' of '%4'.", 4, 'OK', 'None.'],
  WouldWait: ["The update of '%1' with the image '%2' would wait for its apply time: %3.", 3, 'OK', 'None.'],
  NoPower: ["'%1' has no power: '%2' is off.", 2, 'Critical', 'Switch it on.'],
  ComponentBusy: ["Something else works on '%1' now.", 1, 'Critical', 'Wait until that has ended.'],
  WouldFail: ["The image '%1' would not be installed on '%2'.", 2, 'Critical', 'None.'],
  RollOutAwaitsApproval: [
    "The wave '%1' of the roll-out waits for approval.",
    1,
    'OK',
    "Set the JobState of its job to 'Continue' to approve it.",
  ],
  RollOutThresholdReached: [
    "Of %2 devices of '%1', %3 could not be updated, which is too many.",
    3,
    'Warning',
    "See why; then set the JobState of the roll-out's job to 'Continue', or to 'Cancelled'.",
  ],
  RollOutSuccessesMissing: [
    "Of %2 devices of '%1', %3 were updated, which is too few to go on.",
    3,
    'Warning',
    "See why; then set the JobState of the roll-out's job to 'Continue', or to 'Cancelled'.",
  ],
  RollOutBegan: [
    "The roll-out '%1' has begun to bring the image '%2' (SHA-256 %3) to %4 devices.",
    4,
    'OK',
    'None.',
  ],
  RollOutApproved: ["The wave '%1' of the roll-out '%2' was approved.", 2, 'OK', 'None.'],
  RollOutPaused: ["The roll-out '%1' was paused.", 1, 'OK', 'None.'],
  RollOutResumed: ["The roll-out '%1' was let go on.", 1, 'OK', 'None.'],
  RollOutCancelled: ["The roll-out '%1' was cancelled.", 1, 'Warning', 'None.'],
  RollOutRetried: ["Devices of the roll-out '%1' that failed are updated once more.", 1, 'OK', 'None.'],
  RollOutRolledBack: [
    "Devices of the roll-out '%1' are brought back to what they ran before.",
    1,
    'Warning',
    'None.',
  ],
  RollOutHasDevice: ["'%1' is in the roll-out '%2' already, and stays as it is there.", 2, 'OK', 'None.'],
  RollOutLeavesOut: [
    "The plan of the roll-out '%2' leaves '%1' out.",
    2,
    'Warning',
    'Name devices that its Filter lets pass and its ExcludeTargets do not name.',
  ],
  RollOutOver: [
    "The roll-out '%1' is over, or comes to its end: no device can be added.",
    1,
    'Warning',
    'Begin another roll-out for them.',
  ],
  RollOutDevicesAdded: ["%2 devices were added to the roll-out '%1'.", 2, 'OK', 'None.'],
  DeviceUpdateEnded: [
    "The update of '%1' with the image '%2' (SHA-256 %3) has ended: %4.",
    4,
    'OK',
    "See the messages of the device's step in the job of its wave.",
  ],
  DeviceRollBackEnded: [
    "The roll-back of '%1' from the image '%2' (SHA-256 %3) has ended: %4.",
    4,
    'OK',
    "See the messages of the device's step in the job of its wave.",
  ],
  RollOutEnded: ["Of %2 devices of '%1', %3 were updated and %4 could not be.", 4, 'OK', 'None.'],
  RollOutBroughtBack: [
    "Of '%1', %2 devices were brought back to what they ran before, and %3 could not be.",
    3,
    'OK',
    'None.',
  ],
  RollOutMissedWindows: [
    "%2 devices of '%1' were not updated: no window of theirs opens any more.",
    2,
    'Warning',
    'Begin another roll-out for them.',
  ],
  RollOutNotNow: [
    "The roll-out '%1' is '%2': nothing of the kind can be done then.",
    2,
    'Warning',
    'Wait until it has ended; while it goes on, pause it.',
  ],
  RollOutHasNobody: [
    "The roll-out '%1' has no device to which that could be done.",
    1,
    'Warning',
    'See the steps of the jobs of its waves.',
  ],
  RollOutLacksDevice: ["'%1' is not in the roll-out '%2'.", 2, 'Warning', 'Name devices of the roll-out.'],
  RollOutKeepsDevice: [
    "'%1' is '%3' in the roll-out '%2', or something goes on there: that cannot be done to it.",
    3,
    'Warning',
    "See the messages of the device's step in the job of its wave.",
  ],
  RolledBack: ["'%1' was brought back to version '%2'.", 2, 'OK', 'None.'],
  PreviousImageMissing: [
    "No image with version '%2' for '%1' is kept.",
    2,
    'Critical',
    'Push that image with LocalImage, and roll back again.',
  ],
  WouldBeginWave: ["The wave '%1' would be of %2 devices.", 2, 'OK', 'None.'],
  DeviceMessage: [
    "The device tells: '%2' (%1).",
    2,
    'Critical',
    'See what the maker of the device says of it.',
  ],
  DeviceDetached: [
    "The device of '%1' is not attached any more.",
    1,
    'Critical',
    'Attach the device, and submit the update again.',
  ],
  DeviceFailed: [
    "'%1' could not be made to do what it was asked for: %2.",
    2,
    'Critical',
    'Find out what keeps the device from it, and try again.',
  ],
  RequestRefused: [
    'The request cannot be carried out: each violation tells one reason.',
    0,
    'Warning',
    'See the violations, and send the request again without them.',
  ],
  DeviceTypesMixed: [
    "'%1' can be asked of devices of one type only, and these are of the types %2.",
    2,
    'Warning',
    'Ask the devices of each type by a request of its own.',
  ],
  DeviceActionUnsupported: [
    "'%1' takes no '%2'.",
    2,
    'Warning',
    'Leave the device out, or have it say that it supports such actions when it asks to be managed.',
  ],
  DeviceInWrongState: [
    "'%1' cannot be asked for '%2' now: its firmware state is %3, and its update status %4.",
    4,
    'Warning',
    'Wait until the device is idle, or, for an update, has downloaded an image.',
  ],
  DeviceRefused: ["'%1' refuses that: %2.", 2, 'Warning', 'Ask for what it takes, when it takes it.'],
  UserConsentRequired: [
    "'%1' starts from nothing that its user has not consented to; the code for that is shown by the action '%2'.",
    2,
    'Warning',
    'Have the code shown, have the user read it from the screen, and send it to the device.',
  ],
  NetworkBootNotEnabled: [
    "'%1' does not boot by HTTPS when it is told to: that is not enabled, or its BIOS cannot.",
    1,
    'Warning',
    'Enable One-Click Recovery by HTTPS in the BIOS of the device.',
  ],
  DeviceRefusedImage: [
    "'%1' has booted the image '%2' and did not take it.",
    2,
    'Critical',
    'Provide an image for this device, that it can fetch.',
  ],
  DeviceKeptVersion: [
    "'%1' came back with the version '%2', and not with '%3'.",
    3,
    'Critical',
    'Find out why the device did not take the image.',
  ],
  DeviceRunsOtherVersion: [
    "'%1' runs the version '%2', which is not '%3', and not what it ran before.",
    3,
    'Critical',
    'Find out what has changed the device.',
  ],
  DeviceRunsRecovery: [
    "'%1' runs its recovery firmware, version '%2', instead of '%3'.",
    3,
    'Critical',
    'Install the image again.',
  ],
  NothingChanged: ['Nothing was changed: a dry run was asked for.', 0, 'OK', 'None.'],
} as const satisfies Readonly<Record<string, Row>>

type Rows = typeof rows

/** The arguments that each message takes. */
export type RedflashMessageArgs = { [K in keyof Rows as `Redflash.${K & string}`]: Arguments[Rows[K][1]] }

/** Our own message registry (MessageRegistry v1_7). */
export const redflash = {
  '@odata.type': '#MessageRegistry.v1_7_0.MessageRegistry',
  Id: 'Redflash.1.0.0',
  Name: 'Redflash Message Registry',
  Language: 'en',
  RegistryPrefix: 'Redflash',
  RegistryVersion: '1.0.0',
  OwningEntity: 'redflash',
  Messages: Object.fromEntries(
    Object.entries<Row>(rows).map(([key, [text, args, severity, resolution]]) => [
      key,
      {
        Description: text,
        Message: text,
        // deprecated, and still required by the schema of MessageRegistry
        Severity: severity,
        MessageSeverity: severity,
        NumberOfArgs: args,
        ...(args > 0 && { ParamTypes: Array.from({ length: args }, () => 'string') }),
        Resolution: resolution,
      },
    ]),
  ),
}
