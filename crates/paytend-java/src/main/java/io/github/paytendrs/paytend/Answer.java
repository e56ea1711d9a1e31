package io.github.paytendrs.paytend;

import java.util.Map;

/** What to send back to a provider. */
public record Answer(int status, Map<String, String> headers, byte[] body) {}
