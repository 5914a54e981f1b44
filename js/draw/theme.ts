/** Whether the notebook around the card is dark or light. */

export interface Theme {
  readonly dark: boolean;
  subscribe(listener: () => void, until: AbortSignal): void;
}
