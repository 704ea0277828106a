"""How the kind of a street is written at the end of its name (`st street str`): the forms of the US and Canadian posts, and what people make of them."""

_SUFFIX_LINES = """
aly alley ally allee
anx annex
arc arcade
ave avenue av aven avenu avn avnue
bch beach
bnd bend
blf bluff
blvd boulevard boul boulv blv bvd bd bld
br branch
brg bridge
brk brook
bypa bypass byp
byu bayou
cswy causeway
ctr center centre cntr
cir circle circ crcl crcle cr
cirs circles
clb club
clf cliff
clfs cliffs
cmn common
cmns commons
cor corner
cors corners
crse course
ct court crt
cts courts
cv cove
crk creek
cres crescent crsnt crt. crs
crst crest
xing crossing crssng
xrd crossroad
curv curve
dl dale
dr drive driv drv dve
est estate
ests estates
expy expressway expwy exp
ext extension
fls falls
fld field
flds fields
flt flat
frd ford
frst forest
fwy freeway frwy
gdn garden
gdns gardens
gtwy gateway
gln glen
grn green
grv grove
hbr harbor harbour
hvn haven
hts heights ht
hl hill
hls hills
holw hollow hllw
is island
isle
jct junction
knl knoll
knls knolls
lk lake
lks lakes
lndg landing
ln lane la lanes
lgt light
loop loops
mall
mnr manor
mdw meadow
mdws meadows
mews
ml mill
mls mills
msn mission
mtwy motorway
mt mount
mtn mountain
orch orchard
oval
park prk
pkwy parkway pkway pky parkwy
pass
path
pike
pne pine
pnes pines
pl place plc
pln plain
plns plains
plz plaza
pt point
pr prairie
psge passage
radl radial
rnch ranch
rdg ridge rdge
riv river
rd road
rds roads
rte route
row
run
shr shore
shrs shores
skwy skyway
spg spring
spgs springs
sq square
sta station
strm stream
st street str strt
smt summit
ter terrace terr
trl trail trails
trce trace
tpke turnpike
un union
vly valley
via viaduct
vw view
vlg village vlge
vl ville
vis vista
walk
way wy
ways
wl well
wls wells
chemin chem ch
rue
cl close
grve
pde parade
cct circuit crct
esp esplanade
hwy
line
sdrd sideroad sideline
conc concession con
gate
"""
FORMS_OF_SUFFIX = {line.split()[0]: tuple(line.split()) for line in _SUFFIX_LINES.strip().split("\n")}
"""How each suffix of a street may be written, the form that keys have first.

Of highways only `hwy`: stored keys have `Old Highway` with the word in the name, so another form here takes a new KEYS_VERSION.
"""
SUFFIXES = {form: suffix for suffix, forms in FORMS_OF_SUFFIX.items() for form in forms}
"""The suffix that a word stands for."""
