"""Every limit of the server: sizes, counts and times. Those that an operator may change are defaults of `Settings`.

Names end in their unit (`_bytes`, `_px`, `_s` for seconds); a name without one is a count.
"""

KB = 2**10
MB = 2**20

# The head of a request, before the application hears of it (guard/heads.py).
HEAD_BYTES = 64 * KB
"""Request line and headers; a longer head is answered 431. Trailers and chunk headers of a body count the same."""
HEAD_ARRIVES_S = 15.0
"""Time for a head to arrive; then the connection is closed."""
REFUSED_LINGER_S = 2.0
"""After a refusal the connection stays open this long, so that the client can read the answer."""
REFUSED_LINGER_BYTES = 4 * MB
"""After a refusal this much is read and dropped; more aborts the connection."""

# The body of a request (guard/middleware.py).
BODY_BYTES = 64 * MB
"""Default of `Settings.body_bytes`; a larger body is answered 413."""
KEYLESS_BODY_BYTES = 4 * KB
"""Body of a route that needs no key, such as signing in."""
BODY_ARRIVES_S = 60.0
"""Time for a whole body to arrive; then the answer is 408."""
ALL_BODIES_BYTES = 512 * MB
"""Default of `Settings.bodies_bytes`: bodies of all unanswered requests together; beyond it the answer is 429."""

# Connections (guard/peers.py, listening.py).
CONNECTIONS = 1000
"""Connections that are held at once; fewer where the process may open fewer files."""
MIN_CONNECTIONS = 64
"""Connections that are held however few files the process may open: enough for a few browsers."""
CONNECTION_SHARES = 4
"""One client (an IPv4 address or an IPv6 /64 network) holds at most 1/4 of the connections."""
OTHER_FILES = 256
"""Files that the process opens beside its connections: the library's, the model's, images."""
ACCEPT_BACKLOG = 128
"""Connections that the operating system queues before they are accepted."""
KEEP_ALIVE_S = 30
"""An idle connection waits this long for its next request."""
SHUTDOWN_S = 30
"""After SIGTERM, requests have this long to finish."""

# The work of one request.
REQUEST_TEXTS = 512
"""Default of `Settings.texts`: texts of a request."""
TEXT_LETTERS = 8192
"""Default of `Settings.letters`: characters of a text."""
REQUEST_IMAGES = 64
"""Default of `Settings.pictures`: images of a request."""
DETECT_IMAGES = 4
"""Images of a request for boxes, each of which takes as long as a hundred others."""
DETECT_PROPOSALS = 70
"""Parts of an image that are classified for its boxes, each in two views."""
DETECT_MAP_IMAGES = 20
"""What the maps of one image count as when it is admitted, in images: about as many windows are encoded for them."""
DETECT_BOXES = 100
"""Most boxes of an image."""
SEGMENT_IMAGES = 100
"""What an image that is segmented counts as when it is admitted, in images: its windows, of which most have fewer."""
EXPLAIN_IMAGES = 50
"""What an image that is explained counts as: its windows, or the copies of which parts are hidden."""
REQUEST_URLS = 8
"""Default of `Settings.urls`: how many of the images may be URLs."""
IMAGE_BYTES = 20 * MB
"""Default of `Settings.picture_bytes`: bytes of an image file."""
IMAGE_PIXELS = 100_000_000
"""Default of `Settings.pixels`: width x height of an image, checked before it is decoded."""
DEADLINE_S = 30.0
"""Default of `Settings.deadline_s`: time to answer a request; then the answer is 504."""
URL_FETCH_S = 10.0
"""Time to fetch an image from a URL."""

# Fields of requests; schemas/requests.py checks most of them while it parses.
LIST_ITEMS = 4096
"""Items of any list; checked before the operator's own limits, so that a huge list is not parsed."""
NAME_LETTERS = 1000
"""Characters of a tag, label, camera, file name or date."""
LABEL_NAMES = 100
"""Names of one label."""
TEMPLATE_LETTERS = 200
"""Characters of a prompt template: it may hold {} so often that short ones make long prompts."""
ID_LETTERS = 100
FOLDER_LETTERS = 4096
QUERY_LETTERS = 2000
CURSOR_LETTERS = 100
QUERY_IMAGES = 16
"""Images sent along with one search."""
HITS = 1000
"""Hits of one answer of a search."""
DEFAULT_HITS = 50
FILTER_VALUES = 20
"""Tags or name parts of one filter, and tags added or removed by one request."""
FILTER_PX = 1_000_000
"""Largest value of the filter `min_px`."""
PROMPT_PHRASES = 12
"""Phrases of a prompt: each but the first is chosen by encoding some dozens of texts."""
TAGGED_IMAGES = 10_000
"""Image ids of one request that changes tags."""
TAG_CHANGES = 10_000
"""ids x tags of one request that changes tags."""
CANDIDATES = 20
"""Nearest names of an image that one request may ask for."""
EXPORTED_IMAGES = 1000
"""Files of one ZIP archive."""
QUOTED_LETTERS = 40
"""Characters of a client's value that an error message repeats."""

# Admission of all requests together.
WAITING_TEXTS = 1024
"""Default of `Settings.waiting`: texts under way; beyond it the answer is 429."""
TEXTS_PER_IMAGE = 4
"""Texts that an image counts as: about what its pixels hold in memory, and what its tower takes."""
TAG_CHANGES_PER_TEXT = 50
"""Changes of tags that count as one text."""
RATE_SPAN_S = 10.0
"""The rate that Retry-After is computed from is taken over this time."""
MAX_RETRY_AFTER_S = 30
SHUTDOWN_RETRY_AFTER_S = 5
GUARD_RETRY_AFTER_S = 1
"""Retry-After where bodies or connections are too many; such crowding passes quickly."""

# Batches and threads.
BATCH_TEXTS = 64
"""Texts of a batch; with more, the first of them wait longer and little is gained."""
BATCH_IMAGES = 8
"""Images of a batch; as for texts."""
BATCHES_AT_ONCE = 2
"""Batches that run at once, each with half of the cores: short texts do not wait behind images."""
PADDED_TEXTS = 16
"""Texts encoded together before longer ones may have a run of their own, which saves their padding."""
FETCH_THREADS = 16
"""Threads that fetch URLs; they only wait."""
PROMPT_THREADS = 2
"""Threads that write prompts; they mostly wait for the text tower."""
LIBRARY_THREADS = 4
"""Threads that read the library beside the one that searches, each with a connection of its own."""
INLINE_TOKENIZED_LETTERS = 4000
"""Up to so many characters are tokenized in the event loop: faster than handing them to a thread."""

# Pictures, maps, sessions, health, towns.
THUMBNAIL_PX = (160, 320, 640)
"""Longer sides of the thumbnails that are offered."""
VIEW_PX = 2048
"""Longer side of an image as the page's detail view shows it; not cached."""
THUMBNAIL_CACHE_BYTES = 1_000_000_000
"""Size of the thumbnail cache; the oldest are evicted beyond it."""
THUMBNAIL_CACHE_SLACK = 0.1
"""Share of the cache's size that is written before it is measured again, and that eviction frees beyond the limit."""
MAPS_KEPT = 4
"""Recent maps whose sheets can still be fetched, each of some megabytes."""
COOKIE_S = 30 * 24 * 3600
"""Lifetime of the page's cookie: 30 days."""
MIN_KEY_LETTERS = 16
"""Shortest API key."""
HEALTH_S = 10.0
"""/healthz: time to encode one image and one text."""
HEALTH_CACHED_S = 1.0
"""/healthz: results are cached this long, so that unauthenticated probes cannot load the model."""
TOWN_LOOKUP_S = 60.0
"""Time for the process that looks up names of towns."""

# Names and lines that are written elsewhere.
FILENAME_BYTES = 240
"""UTF-8 bytes of a file name in a ZIP: most systems take 255, and a number may follow."""
STDERR_LINE_BYTES = 2000
"""Bytes of one line that a native library writes to stderr."""
STDERR_CLOSE_S = 2.0
"""Time to wait for the last lines of native libraries at the end."""
