"""How common a name is, before a tenant's own mirror has been counted: shares of 100,000 people of the US censuses, rounded."""

_SURNAMES = """
smith 828 johnson 655 williams 551 brown 487 jones 483 garcia 395 miller 394 davis 378 rodriguez 371 martinez 359 hernandez 353
lopez 296 gonzalez 285 wilson 272 anderson 266 thomas 256 taylor 254 moore 246 jackson 240 martin 238 lee 235 perez 231
thompson 225 white 224 harris 211 sanchez 208 clark 191 ramirez 189 lewis 180 robinson 179 walker 177 young 164 allen 163
king 158 wright 155 scott 148 torres 148 nguyen 148 hill 147 flores 146 green 145 adams 145 nelson 144 baker 142 hall 138
rivera 133 campbell 131 mitchell 130 carter 128 roberts 127 gomez 123 phillips 122 evans 121 turner 118 diaz 117 parker 115
cruz 114 edwards 112 collins 109 reyes 107 stewart 106 morris 105 morales 104 murphy 104 cook 103 rogers 102 gutierrez 101
ortiz 97 morgan 97 cooper 95 peterson 94 bailey 94 reed 92 kelly 91 howard 90 ramos 90 kim 89 cox 88 ward 88 richardson 88
watson 85 brooks 85 chavez 84 wood 84 james 83 bennett 83 gray 82 mendoza 79 ruiz 77 hughes 77 price 76 alvarez 76 castillo 75
sanders 75 patel 75 myers 74 long 73 ross 73 foster 72 jimenez 71 powell 69 jenkins 68 perry 67 russell 66 sullivan 66 bell 65
coleman 64 butler 64 henderson 63 barnes 63 gonzales 62 fisher 62 vasquez 61 simmons 60 romero 60 jordan 60 patterson 59
alexander 58 hamilton 58 graham 57 reynolds 57 griffin 57 wallace 56 moreno 56 west 55 cole 55 hayes 55 chen 55 bryant 54
herrera 54 gibson 53 ellis 53 tran 53 medina 52 aguilar 52 stevens 52 murray 52 ford 51 castro 51 marshall 51 owens 50
"""
_GIVEN = """
james 1480 john 1440 robert 1400 michael 1390 mary 1200 william 1100 david 1080 joseph 740 richard 730 thomas 660 christopher 640
daniel 600 charles 580 matthew 510 patricia 490 jennifer 470 anthony 450 linda 440 barbara 420 elizabeth 420 mark 400 donald 390
steven 380 paul 370 andrew 370 joshua 370 susan 360 kenneth 340 kevin 340 brian 330 jessica 330 sarah 330 george 330 timothy 320
ronald 310 karen 310 lisa 310 edward 300 jason 310 nancy 300 jeffrey 280 ryan 280 sandra 270 margaret 270 ashley 270 kimberly 270
jacob 270 emily 260 donna 260 nicholas 260 betty 250 michelle 250 gary 250 carol 240 amanda 240 melissa 240 eric 240 jonathan 240
deborah 230 stephanie 230 rebecca 230 laura 230 stephen 230 larry 220 justin 220 helen 220 sharon 220 cynthia 220 scott 210
brandon 210 kathleen 210 amy 210 benjamin 200 samuel 200 angela 200 anna 200 gregory 190 frank 190 alexander 190 raymond 190
patrick 180 jack 180 shirley 180 emma 170 brenda 170 pamela 170 nicole 170 ruth 170 jose 170 dennis 170 jerry 160 tyler 160
katherine 160 samantha 160 christine 160 catherine 160 aaron 150 adam 150 nathan 150 virginia 150 debra 150 rachel 150 janet 150
henry 140 douglas 140 peter 140 zachary 140 maria 140 heather 140 diane 140 carolyn 140 julie 140 joyce 130 kyle 130 noah 130
walter 120 ethan 120 harold 120 evelyn 120 joan 120 victoria 120 kelly 120 christina 120 lauren 120 frances 120 martha 120
"""


def _read(text: str) -> dict[str, float]:
    """Return the shares of a table of names."""
    parts = text.split()
    return {name: int(count) / 100_000 for name, count in zip(parts[::2], parts[1::2], strict=True)}


SURNAMES = _read(_SURNAMES)
GIVEN_NAMES = _read(_GIVEN)
RARE_SURNAME = 0.00006
"""The share of a surname that is not listed: the 5,000th of the census; rarer ones would claim more than a spelling can."""
RARE_GIVEN = 0.0004
